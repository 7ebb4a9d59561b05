#include "agent/monitor/monitor.h"

#include <cmath>
#include <limits>

namespace agent::monitor {
namespace {

// Earlier than any window of any sample begins.
constexpr int64_t kBeginOfTime = std::numeric_limits<int64_t>::min();

Way WayOf(const Node& node) { return LooksAhead(node.kind) ? Way::kFromBegin : Way::kFromEnd; }

// What a gap is to a window of this node: a sample of which nothing is known.
Stretch Unseen(const Node& node) {
  if (HasTwoOperands(node.kind)) return {.all = kUnknown, .some = kUnknown};
  return node.kind == Node::Kind::kAlways || node.kind == Node::Kind::kHistorically
             ? Stretch{.all = kUnknown}
             : Stretch{.some = kUnknown};
}

Outcome Told(int64_t at, const Bounds& bounds) {
  if (!std::signbit(bounds.low)) return {Nanos{at}, Verdict::kHolds, bounds.low};
  if (std::signbit(bounds.high)) return {Nanos{at}, Verdict::kViolated, bounds.high};
  return {Nanos{at}, Verdict::kUnknown, std::numeric_limits<double>::quiet_NaN()};
}

}  // namespace

Monitor::Monitor(const Formula& formula)
    : formula_(formula), capacity_(formula.MostPending()), times_(capacity_), gaps_(capacity_) {
  const Sampling& sampling = formula_.sampling();
  for (const Node& node : formula_.nodes()) {
    streams_.push_back({.values = std::vector<Bounds>(capacity_),
                        .window = {SlidingFold(MostInWindow(node, sampling), WayOf(node))},
                        .guard = {SlidingFold(MostInGuard(node, sampling), WayOf(node))}});
  }
  outcomes_.reserve(capacity_);
}

std::span<const Outcome> Monitor::Step(Nanos now, std::span<const Reading> readings) {
  outcomes_.clear();
  const int64_t at = now.count();
  const int64_t last = samples_ == 0 ? kBeginOfTime : times_[(samples_ - 1) % capacity_];
  if (at < last + formula_.sampling().min_gap.count()) return outcomes_;
  if (samples_ == 0 || at - last > formula_.sampling().max_gap.count()) {
    gaps_[gap_count_++ % capacity_] = {last, at};
  }
  times_[samples_++ % capacity_] = at;
  for (size_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = streams_[i];
    const int64_t known = at - formula_.nodes()[i].horizon.count();
    while (stream.next < samples_ && times_[stream.next % capacity_] <= known) {
      const Bounds bounds = Judge(i, readings);
      stream.values[stream.next % capacity_] = bounds;
      if (i + 1 == streams_.size()) {
        outcomes_.push_back(Told(times_[stream.next % capacity_], bounds));
      }
      ++stream.next;
    }
  }
  return outcomes_;
}

Bounds Monitor::Judge(size_t index, std::span<const Reading> readings) {
  const Node& node = formula_.nodes()[index];
  Stream& stream = streams_[index];
  if (node.kind == Node::Kind::kComparison) return formula_.Compare(node, readings);
  if (IsWindow(node.kind)) return JudgeWindow(node, stream);
  const Bounds& left = ValueOf(node.left, stream.next);
  const Bounds& right = ValueOf(node.right, stream.next);
  if (node.kind == Node::Kind::kNot) return Negated(left);
  if (node.kind == Node::Kind::kAnd) return Least(left, right);
  return Most(node.kind == Node::Kind::kOr ? left : Negated(left), right);
}

Bounds Monitor::JudgeWindow(const Node& node, Stream& stream) {
  const int64_t at = times_[stream.next % capacity_];
  const int64_t from = node.from.count();
  const int64_t to = node.to.count();
  const bool ahead = LooksAhead(node.kind);
  Slide(node, ahead ? Range{at + from, at + to} : Range{at - to, at - from}, stream.window);
  const Stretch whole = stream.window.fold.Whole();
  if (node.kind == Node::Kind::kAlways || node.kind == Node::Kind::kHistorically) return whole.all;
  if (!HasTwoOperands(node.kind) || from == 0) return whole.some;
  Slide(node, ahead ? Range{at, at + from - 1} : Range{at - from + 1, at}, stream.guard);
  return Least(stream.guard.fold.Whole().all, whole.some);
}

// Moves the reader to the range: drops what lies before it, takes in samples and gaps up to its end
// in the order of time. A gap belongs to every range that it overlaps.
void Monitor::Slide(const Node& node, const Range& range, Reader& reader) const {
  reader.fold.DropBefore(range.begin);
  while (true) {
    const bool sample =
        reader.next_sample < samples_ && times_[reader.next_sample % capacity_] <= range.end;
    const bool gap =
        reader.next_gap < gap_count_ && gaps_[reader.next_gap % capacity_].begin < range.end;
    if (!sample && !gap) return;
    // The sample at a gap's end comes after it: while there is a gap to read there is a sample.
    const int64_t time = times_[reader.next_sample % capacity_];
    if (gap && gaps_[reader.next_gap % capacity_].begin < time) {
      const int64_t leaves = gaps_[reader.next_gap++ % capacity_].end - 1;
      if (leaves >= range.begin) reader.fold.Push(leaves, Unseen(node));
    } else {
      const uint64_t index = reader.next_sample++;
      if (time >= range.begin) reader.fold.Push(time, Sample(node, index));
    }
  }
}

Stretch Monitor::Sample(const Node& node, uint64_t sample) const {
  const Bounds& left = ValueOf(node.left, sample);
  if (HasTwoOperands(node.kind)) return {.all = left, .some = ValueOf(node.right, sample)};
  if (node.kind == Node::Kind::kAlways || node.kind == Node::Kind::kHistorically) {
    return {.all = left};
  }
  return {.some = left};
}

}  // namespace agent::monitor
