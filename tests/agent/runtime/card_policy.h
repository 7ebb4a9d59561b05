#pragma once

#include <functional>

#include "agent/runtime/policy.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/status_matchers.h"

// The nav policy after a change, for the cards that are bound by it.

namespace tests {

inline agent::runtime::Policy PolicyWith(const std::function<void(v1::ControlPolicy&)>& edit = {}) {
  v1::ControlPolicy document = NavPolicyDocument();
  if (edit) edit(document);
  auto policy = agent::runtime::Policy::Compile(document);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

inline void AddInput(v1::ControlPolicy& document, const char* channel) {
  (*document.mutable_inputs())[channel] = document.inputs().at("odom");
}

}  // namespace tests
