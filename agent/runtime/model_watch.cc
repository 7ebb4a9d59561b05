#include "agent/runtime/model_watch.h"

#include <algorithm>

namespace agent::runtime {

void HitWindow::Add(bool hit) {
  count_ -= hits_[next_];
  hits_[next_] = hit ? 1 : 0;
  count_ += hits_[next_];
  if (++next_ == hits_.size()) next_ = 0;
}

void HitWindow::Reset() {
  std::fill(hits_.begin(), hits_.end(), uint8_t{0});
  count_ = 0;
}

bool DeadlineWatch::Missed(bool missed) {
  window_.Add(missed);
  in_a_row_ = missed ? std::min(in_a_row_ + 1, limits_.max_consecutive) : 0;
  return missed && (in_a_row_ >= limits_.max_consecutive || window_.count() > limits_.window_max);
}

bool ConfidenceWatch::Low(double confidence, Nanos now) {
  // Written so that a confidence that is not a number is low.
  if (!(confidence >= limits_.enter_below)) low_ = true;
  if (!(confidence > limits_.leave_above)) {
    recovering_ = false;
    return low_;
  }
  if (!recovering_) recovering_since_ = now;
  recovering_ = true;
  if (now - recovering_since_ >= limits_.leave_hold) low_ = false;
  return low_;
}

bool ClampBudget::Spent(bool clamped) {
  window_.Add(clamped);
  return window_.count() > limits_.max_clamped;
}

}  // namespace agent::runtime
