#pragma once

#include <map>
#include <string>

#include "gatekeeper/gates/replay.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// For gates that allow no failing clip: what share of the recordings fails, and how large it may be
// among recordings like these. Ticks of one drive are not independent, so each recording counts
// once, and fails when any clip of it does.
class FailingShare {
 public:
  void Add(const Replay& replay, bool fails);

  uint64_t recordings() const { return fails_.size(); }
  uint64_t failed() const;
  double AtMost(double alpha) const;  // Clopper-Pearson, from above

  // What decides is the share itself: n_eff, value, bound and alpha. The limit is 0, which no bound
  // reaches, so there is no margin.
  void Decide(double alpha, v1::GateResult& result) const;
  // "0 of 40 recordings fail: at most 7.2% of such".
  std::string Text(double alpha) const;

 private:
  std::map<std::string, bool> fails_;  // by recording
};

// What decides is the worst that was measured: value and bound, beside its limit. The worst of
// `share`'s recordings bounds all but share.AtMost(alpha) of recordings like these with confidence
// 1 - alpha. `margin` is what is left to the limit, negative beyond it.
struct WorstSeen {
  double value = 0;
  double limit = 0;
  double margin = 0;
};
void DecideByWorst(const WorstSeen& worst, const FailingShare& share, double alpha,
                   v1::GateResult& result);

// What decides is a count of things every one of which was looked at: nothing is estimated, and so
// there is neither bound nor alpha. `n` is how many were looked at.
struct CountedOut {
  uint64_t n = 0;
  uint64_t wrong = 0;
  uint64_t allowed = 0;
};
void DecideByCount(const CountedOut& counted, v1::GateResult& result);

}  // namespace gatekeeper::gates
