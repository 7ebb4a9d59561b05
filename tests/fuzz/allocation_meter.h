#pragma once

#include <cstddef>

namespace fuzz {

// Bytes that this program holds from operator new.
size_t LiveBytes();
// The most it held since the last ResetPeak.
size_t PeakBytes();
void ResetPeak();

}  // namespace fuzz
