#pragma once

#include <string>

#include "agent/runtime/fallback.h"
#include "gatekeeper/bundle/explanation.h"

namespace gatekeeper::cli {

// Fallback rules as tables that a person reads before signing: states, triggers, every trigger in
// every state, pairs, and which sets of triggers lead where.
std::string PolicyView(const agent::runtime::Fallback& rules,
                       const bundle::Explanation& explanation);

}  // namespace gatekeeper::cli
