#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/robot.pb.h"

namespace agent::recording {

// Reads the bytes of a foxglove.LaserScan straight into ours, without the message in between: scans
// are nine tenths of a recording. True: every field of `out` is as protobuf and FromFoxglove would
// have made it, in the memory that it has. False: the bytes are not laid out as writers do (a field
// twice, of another type, cut off, text beyond ASCII); whether they are a scan at all, protobuf
// must say, and `out` means nothing.
bool ReadScan(std::string_view bytes, ::gatekeeper::v1::LaserScan& out);

// Nanoseconds of a google.protobuf.Timestamp. Saturates: a foreign stamp beyond the years 1677 to
// 2262 is wrong anyhow, and must not become a right one.
int64_t Nanoseconds(int64_t seconds, int32_t nanos);

// What one step is between `beams` directions from `first_rad` to `last_rad`; 0 for fewer than two.
double StepBetween(double first_rad, double last_rad, int beams);

// Rounds `count` doubles that stand at `wide`, aligned or not.
void Narrow(const char* wide, size_t count, float* narrow);

}  // namespace agent::recording
