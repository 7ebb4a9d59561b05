#include "agent/control/shadow.h"

#include <utility>

#include "agent/control/unit_counters.h"

namespace agent::control {

void RunShadow(ShadowFrame& frame, ShadowResult& result) {
  result.tick = frame.seat->run.Step(frame.board, frame.driven, frame.now);
  result.disagrees = result.tick.ran && Disagree(result.tick.enforced, frame.command);
  result.seat = std::move(frame.seat);
}

}  // namespace agent::control
