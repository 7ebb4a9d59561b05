#pragma once

#include <string>

#include "gatekeeper/bundle/flat_document.h"

namespace gatekeeper::bundle {

enum class Effect {
  kLooser,     // allows something that was not allowed before: wants a second pair of eyes
  kTighter,    // allows less
  kDifferent,  // neither can be said
};

// What it means for a robot that the value at `path` is not the same before and after. Zones are
// compared as areas, arrays over speed as functions, states by rank; what both allows and forbids
// something new is looser.
Effect EffectOf(const Flat& before, const Flat& after, const std::string& path);

}  // namespace gatekeeper::bundle
