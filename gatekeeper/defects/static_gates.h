#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/run_suite.h"
#include "proto/gates.pb.h"

namespace gatekeeper::defects {

using Outcomes = std::map<std::string, v1::GateOutcome>;  // by gate

// What the gates that need no replay say of a unit's rules: integrity, static_policy and, where the
// suite has non_inferiority, loosening. The judges are those of a run.
absl::StatusOr<Outcomes> JudgeRules(const bundle::UngatedUnit& unit,
                                    const std::optional<bundle::UngatedUnit>& deployed,
                                    const v1::GateSuite& suite, const gates::SuiteInput& input);

// What a run would say of its library before anything is replayed: integrity, and recordings as far
// as digests tell. kInvalidArgument and kNotFound: the library itself is refused.
absl::StatusOr<Outcomes> JudgeLibrary(const v1::GateSuite& suite, const gates::SuiteInput& input);

// The gates that say something worse than before, in order of name.
std::vector<std::string> WorseGates(const Outcomes& before, const Outcomes& after);

}  // namespace gatekeeper::defects
