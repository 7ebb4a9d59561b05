#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agent/monitor/formula.h"
#include "agent/monitor/sliding_fold.h"
#include "agent/monitor/verdict.h"

namespace agent::monitor {

// What the formula says of one sample.
struct Outcome {
  Nanos at{};  // the sample
  Verdict verdict = Verdict::kUnknown;
  // Margin that the known samples prove; NaN while unknown. At 0 the verdict tells what it means.
  double robustness = 0;
};

// Judges a formula over samples as they come. Pure: time is an argument, the same samples give the
// same bits anywhere. Every sample gets exactly one outcome, as soon as its horizon has passed, and
// it is what the whole recording would give.
//
// - A reading that is not a number violates its comparison (`not` included: see Formula::Compare).
// - Where a reading is absent, where two samples lie further apart than max_gap, and before the
//   first sample, anything may have been: the outcome is unknown unless it is the same whatever
//   was.
//
// Allocates when made, never in Step. Step is O(1) amortised for each condition of the formula.
class Monitor {
 public:
  explicit Monitor(const Formula& formula);

  // One sample: readings in the order of the formula's signals, time in rising order. The outcomes
  // it decides, oldest first; valid until the next Step. Empty for a sample that is left out
  // because it comes sooner than min_gap after the one before.
  std::span<const Outcome> Step(Nanos now, std::span<const Reading> readings);

  const Formula& formula() const { return formula_; }

 private:
  // The place up to which something has read the samples and gaps, and what it holds of them.
  struct Reader {
    SlidingFold fold;
    uint64_t next_sample = 0;
    uint64_t next_gap = 0;
  };
  struct Stream {                // of one node
    std::vector<Bounds> values;  // by sample, a ring
    uint64_t next = 0;           // sample to be judged
    Reader window;
    Reader guard;  // until, since: samples between the one judged and the window
  };
  struct Gap {  // nobody looked between these two
    int64_t begin = 0;
    int64_t end = 0;
  };
  struct Range {  // of time, both ends included
    int64_t begin = 0;
    int64_t end = 0;
  };

  Bounds Judge(size_t index, std::span<const Reading> readings);
  Bounds JudgeWindow(const Node& node, Stream& stream);
  void Slide(const Node& node, const Range& range, Reader& reader) const;
  Stretch Sample(const Node& node, uint64_t sample) const;
  const Bounds& ValueOf(size_t node, uint64_t sample) const {
    return streams_[node].values[sample % capacity_];
  }

  Formula formula_;
  size_t capacity_;  // samples between the newest and the oldest that anything waits for
  std::vector<int64_t> times_;
  std::vector<Gap> gaps_;
  uint64_t samples_ = 0;
  uint64_t gap_count_ = 0;
  std::vector<Stream> streams_;  // by node
  std::vector<Outcome> outcomes_;
};

}  // namespace agent::monitor
