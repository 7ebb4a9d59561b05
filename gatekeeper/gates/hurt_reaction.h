#pragma once

#include <optional>
#include <string>

#include "gatekeeper/gates/fault_expectation.h"

namespace gatekeeper::gates {

// How a drive with a fault went on, against the same drive without it.
struct HurtReaction {
  std::string found;  // the first trigger that only the fault can have raised; the wanted one of
                      // several at once; empty: none
  std::string
      layer;  // circuit | firmware | model, as far as the record tells; empty without `found`
  std::optional<double> found_ms;   // since the expectation's `from_ns`
  std::optional<double> wanted_ms;  // until a wanted trigger
  std::optional<double> safe_ms;    // until the robot was safe
};

// `control`: the drive from the same onset with nothing hurt; null: there is none.
HurtReaction ReactionOf(const HurtRun& run, const v1::HurtDrive* control,
                        const Expectation& expected, const v1::FallbackRules& rules);

// The layer of a trigger's rule. A model that is late on a computer that is derated by heat, supply
// or latency is the circuit's doing, and the record says so.
std::string LayerGuess(const std::string& trigger, double derate, const v1::FallbackRules& rules);

}  // namespace gatekeeper::gates
