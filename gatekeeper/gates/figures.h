#pragma once

#include <vector>

#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/policy_files.h"

namespace gatekeeper::gates {

inline constexpr size_t kMaxTrajectories = 8;

// What a person looks at beside the verdict; nothing here decides.
//   clamp_reasons, clamp_shares   what the policy changed, and how unevenly over the clips
//   latency                       how long the model ran, with the deadline
//   trajectory:<scenario>         the recorded way over the map (trajectory_figure.h), findings of
//                                 gates that do not hold marked with their second;
//                                 speed:<scenario> what was asked for and what was commanded there
// Trajectories are those of the first scenarios that findings speak of, kMaxTrajectories at most.
// `map`: of the site; may be null.
std::vector<v1::Figure> MakeFigures(const Evidence& evidence,
                                    const std::vector<v1::GateResult>& results,
                                    const MapOfSite* map = nullptr);

}  // namespace gatekeeper::gates
