#pragma once

#include <vector>

#include "gatekeeper/gates/gate.h"

namespace gatekeeper::gates {

inline constexpr size_t kMaxTrajectories = 8;
inline constexpr size_t kMaxPoints = 1500;  // of one line; more are thinned out evenly

// What a person looks at beside the verdict; nothing here decides.
//   clamp_reasons, clamp_shares   what the policy changed, and how unevenly over the clips
//   latency                       how long the model ran, with the deadline
//   trajectory:<scenario>         the recorded way over the envelope, findings of gates that do not
//                                 hold marked with their second; speed:<scenario> what was asked
//                                 for and what was commanded there
// Trajectories are those of the first scenarios that findings speak of, kMaxTrajectories at most.
std::vector<v1::Figure> MakeFigures(const Evidence& evidence,
                                    const std::vector<v1::GateResult>& results);

}  // namespace gatekeeper::gates
