#pragma once

#include <atomic>
#include <thread>

#include "agent/base/unique_fd.h"
#include "agent/control/shadow.h"

namespace agent::control {

// Runs the candidate beside the control loop, so that a slow one delays nobody: room for one frame
// and one result, because ControlCore makes the next frame only after it had the result. Whose turn
// it is stands in one atomic word: the control thread takes no lock that a thread of lower priority
// may hold, allocates nothing, and never waits.
class ShadowThread {
 public:
  ShadowThread();
  ~ShadowThread();
  ShadowThread(const ShadowThread&) = delete;
  ShadowThread& operator=(const ShadowThread&) = delete;

  // The caller's while no frame is on its way: from the start, and from Release to Offer.
  ShadowFrame& frame() { return frame_; }
  void Offer();
  // What came of the frame; null when it has not come yet. Stands until Release.
  const ShadowResult* Result();
  void Release();
  int result_fd() const { return result_signal_.get(); }  // readable when Result has something

 private:
  enum class Turn : int { kControl, kShadow, kResult, kStop };
  void Loop();

  base::UniqueFd result_signal_;  // eventfd
  std::atomic<Turn> turn_ = Turn::kControl;
  ShadowFrame frame_;
  ShadowResult result_;
  std::thread thread_;
};

}  // namespace agent::control
