#pragma once

#include <memory>
#include <vector>

#include "agent/control/model_source.h"
#include "agent/runtime/input_board.h"
#include "agent/runtime/shadow_run.h"

namespace agent::control {

// A candidate that runs beside the active unit. Used by one thread at a time: frames are made one
// by one, each only after the result of the one before came back.
struct ShadowSeat {
  explicit ShadowSeat(std::shared_ptr<const Crew> taken)
      : crew(std::move(taken)), run(crew->pilot) {}
  std::shared_ptr<const Crew> crew;
  runtime::ShadowRun run;
};

// One tick's inputs, copied so that another thread may work on them while control goes on. Filled
// again and again, for its memory.
struct ShadowFrame {
  std::shared_ptr<ShadowSeat> seat;
  runtime::InputBoard board;
  std::vector<double> driven;   // the command before this tick's
  std::vector<double> command;  // this tick's; compared with the candidate's
  base::Nanos now{};
};

struct ShadowResult {
  std::shared_ptr<ShadowSeat> seat;
  runtime::ShadowTick tick;
  bool disagrees = false;
};

// Asks the candidate, and lets go of the frame's seat. Takes as long as its policy's deadline at
// most.
void RunShadow(ShadowFrame& frame, ShadowResult& result);

}  // namespace agent::control
