#include "agent/monitor/sliding_fold.h"

namespace agent::monitor {

Stretch Joined(const Stretch& earlier, const Stretch& later, Way way) {
  const Stretch& first = way == Way::kFromBegin ? earlier : later;
  const Stretch& second = way == Way::kFromBegin ? later : earlier;
  return {.all = Least(first.all, second.all),
          .some = Most(first.some, Least(first.all, second.some))};
}

void SlidingFold::Push(int64_t leaves, const Stretch& element) {
  At(tail_++) = {leaves, element};
  newest_ = Joined(newest_, element, way_);
}

void SlidingFold::DropBefore(int64_t begin) {
  while (head_ < tail_ && At(head_).leaves < begin) {
    if (head_ == split_) Turn();
    ++head_;
  }
}

void SlidingFold::Turn() {
  Stretch join;
  for (uint64_t i = tail_; i > head_; --i) {
    join = Joined(At(i - 1).value, join, way_);
    At(i - 1).value = join;
  }
  split_ = tail_;
  newest_ = {};
}

Stretch SlidingFold::Whole() const {
  return head_ < split_ ? Joined(At(head_).value, newest_, way_) : newest_;
}

}  // namespace agent::monitor
