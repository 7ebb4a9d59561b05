#pragma once

#include <functional>
#include <initializer_list>
#include <ostream>

#include "agent/runtime/policy.h"
#include "gmock/gmock.h"
#include "tests/support/status_matchers.h"

// What a policy may just say, what it may no longer say, and the words it is refused with.

namespace tests {

struct Bound {
  const char* name;
  std::function<void(gatekeeper::v1::ControlPolicy&)> inside;
  std::function<void(gatekeeper::v1::ControlPolicy&)> beyond;
  const char* refusal;
};

inline void PrintTo(const Bound& bound, std::ostream* out) { *out << bound.name; }

inline void CheckBound(const gatekeeper::v1::ControlPolicy& before, const Bound& bound) {
  gatekeeper::v1::ControlPolicy inside = before;
  bound.inside(inside);
  EXPECT_OK(agent::runtime::Policy::Compile(inside).status());
  gatekeeper::v1::ControlPolicy beyond = before;
  bound.beyond(beyond);
  EXPECT_THAT(agent::runtime::Policy::Compile(beyond),
              StatusIs(absl::StatusCode::kInvalidArgument, bound.refusal));
}

// A policy that no one may say, and the path that the refusal names.
struct PolicyDefect {
  const char* path;
  void (*seed)(gatekeeper::v1::ControlPolicy&);
};

inline void PrintTo(const PolicyDefect& defect, std::ostream* out) { *out << defect.path; }

// --- parts of the nav policy

inline gatekeeper::v1::LimitSet& Nominal(gatekeeper::v1::ControlPolicy& policy) {
  return *policy.mutable_limits()->mutable_nominal();
}
inline gatekeeper::v1::LimitSet& Transition(gatekeeper::v1::ControlPolicy& policy) {
  return *policy.mutable_limits()->mutable_transition();
}
inline gatekeeper::v1::LimitSet& Degraded(gatekeeper::v1::ControlPolicy& policy) {
  return *policy.mutable_limits()->mutable_degraded();
}
inline gatekeeper::v1::BodyZone& Touch(gatekeeper::v1::ControlPolicy& policy) {
  return *policy.mutable_separation()->mutable_zones(0);
}
inline gatekeeper::v1::InputRule& Scan(gatekeeper::v1::ControlPolicy& policy) {
  return policy.mutable_inputs()->at("scan");
}
// Anew, with the numbers of the standard and all of the nominal braking.
inline gatekeeper::v1::SpeedAndSeparation& Ssm(gatekeeper::v1::ControlPolicy& policy) {
  gatekeeper::v1::SpeedAndSeparation& ssm = *policy.mutable_separation()->mutable_ssm();
  ssm.set_source("scan");
  ssm.set_v_human_mps(1.6);
  ssm.set_t_react_s(0.25);
  ssm.set_dec_mps2(2);
  return ssm;
}
// Anew, with the usual gap.
inline gatekeeper::v1::Confidence& Confidence(gatekeeper::v1::ControlPolicy& policy) {
  gatekeeper::v1::Confidence& confidence = *policy.mutable_output()->mutable_confidence();
  confidence.set_enter_below(0.3);
  confidence.set_leave_above(0.5);
  confidence.set_leave_hold_ms(500);
  confidence.set_trigger("low_confidence");
  return confidence;
}

inline gatekeeper::v1::Uncertainty& Doubt(gatekeeper::v1::ControlPolicy& policy) {
  gatekeeper::v1::Uncertainty& doubt = *policy.mutable_output()->mutable_uncertainty();
  doubt.set_enter_above(0.7);
  doubt.set_leave_below(0.4);
  doubt.set_leave_hold_ms(250);
  doubt.set_trigger("low_confidence");
  return doubt;
}

using Doubles = google::protobuf::RepeatedField<double>;
inline void Set(Doubles* field, std::initializer_list<double> values) {
  field->Assign(values.begin(), values.end());
}

}  // namespace tests
