#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/robot.pb.h"

// One channel of an observation, whichever it is.

namespace gatekeeper::faults {

bool Has(const v1::Observation& observation, const std::string& channel);
void Remove(const std::string& channel, v1::Observation& observation);

// The packet without everything but this channel; what is true of the robot as a whole (stamp,
// link, buttons) stays. `observation` has it.
v1::Observation Only(const std::string& channel, const v1::Observation& observation);

// Every channel that `newer` has not is taken from `older`.
void FillGaps(const v1::Observation& older, v1::Observation& newer);

// The packet's stamp where the channel has none.
int64_t StampOf(const v1::Observation& observation, const std::string& channel);
// Of the channel and of the packet, so that no stamp of 0 means another one.
void SetStamp(const std::string& channel, int64_t stamp_ns, v1::Observation& observation);

// The sum, over the ends of the range if need be: recorded stamps may be anything.
inline int64_t Later(int64_t stamp_ns, int64_t by_ns) {
  return static_cast<int64_t>(static_cast<uint64_t>(stamp_ns) + static_cast<uint64_t>(by_ns));
}

// Adds to every stamp that is there.
void ShiftStamps(int64_t by_ns, v1::Observation& observation);

// Every number that the channel measures, in a fixed order, to be changed in place: pose and
// motion, axes, angles, a signal's value. Not those of arrays that are long (ranges, pixels), and
// no stamps.
std::vector<double> Numbers(const v1::Observation& observation, const std::string& channel);
void SetNumbers(const std::string& channel, const std::vector<double>& numbers,
                v1::Observation& observation);

}  // namespace gatekeeper::faults
