#include "agent/control/shadow.h"

#include "agent/control/unit_counters.h"

namespace agent::control {

ShadowResult RunShadow(const ShadowFrame& frame) {
  ShadowResult result{.seat = frame.seat,
                      .tick = frame.seat->run.Step(frame.board, frame.driven, frame.now),
                      .disagrees = false};
  result.disagrees = result.tick.ran && Disagree(result.tick.enforced, frame.command);
  return result;
}

}  // namespace agent::control
