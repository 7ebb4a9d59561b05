#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/base/unique_fd.h"
#include "agent/control/shadow.h"

namespace agent::control {

// Runs the candidate beside the control loop, so that a slow one delays nobody: room for one frame
// and one result, because ControlCore makes the next frame only after it had the result.
class ShadowThread {
 public:
  ShadowThread();
  ~ShadowThread();
  ShadowThread(const ShadowThread&) = delete;
  ShadowThread& operator=(const ShadowThread&) = delete;

  void Offer(ShadowFrame frame);
  std::optional<ShadowResult> Take();
  int result_fd() const { return result_signal_.get(); }  // readable when Take has something

 private:
  void Loop();

  base::UniqueFd result_signal_;  // eventfd
  std::mutex mutex_;
  std::condition_variable frame_changed_;
  std::optional<ShadowFrame> frame_;
  std::optional<ShadowResult> result_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace agent::control
