#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/base/clock.h"
#include "agent/monitor/bounds.h"

namespace agent::monitor {

// What a stretch of samples means to `f until g` and `f since g`. `always f` is `all`; `eventually
// g` is `some` with f true everywhere.
struct Stretch {
  Bounds all = kSurelyTrue;    // f at every sample
  Bounds some = kSurelyFalse;  // g at one of them, and f at every sample on the way there
};

// On the way: of `until` from the stretch's beginning, of `since` from its end.
enum class Way { kFromBegin, kFromEnd };

Stretch Joined(const Stretch& earlier, const Stretch& later, Way way);

// A queue that knows the join of all it holds: two stacks in one ring, O(1) amortised a step. The
// first part, up to split_, holds the joins of each element with those behind it in that part; the
// second part holds elements as they came, and newest_ is their join. Allocates when made, never
// again.
class SlidingFold {
 public:
  SlidingFold(size_t capacity, Way way) : way_(way), ring_(capacity) {}

  // `leaves`: the element is dropped by a window that begins after this. At most `capacity` at
  // once, with rising `leaves`.
  void Push(int64_t leaves, const Stretch& element);
  void DropBefore(int64_t begin);
  Stretch Whole() const;

 private:
  struct Element {
    int64_t leaves = 0;
    Stretch value;
  };
  Element& At(uint64_t index) { return ring_[index % ring_.size()]; }
  const Element& At(uint64_t index) const { return ring_[index % ring_.size()]; }
  void Turn();

  Way way_;
  std::vector<Element> ring_;
  uint64_t head_ = 0;
  uint64_t split_ = 0;
  uint64_t tail_ = 0;
  Stretch newest_;
};

}  // namespace agent::monitor
