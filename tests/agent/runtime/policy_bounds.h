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

using Doubles = google::protobuf::RepeatedField<double>;
inline void Set(Doubles* field, std::initializer_list<double> values) {
  field->Assign(values.begin(), values.end());
}

}  // namespace tests
