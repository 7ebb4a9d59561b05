#include "gatekeeper/gates/failing_share.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/statistics.h"

namespace gatekeeper::gates {

void FailingShare::Add(const Replay& replay, bool fails) {
  bool& entry = fails_[RecordingOf(replay)];
  entry = entry || fails;
}

uint64_t FailingShare::failed() const {
  return static_cast<uint64_t>(
      std::count_if(fails_.begin(), fails_.end(), [](const auto& entry) { return entry.second; }));
}

double FailingShare::AtMost(double alpha) const {
  return UpperBound(failed(), recordings(), alpha);
}

void FailingShare::Decide(double alpha, v1::GateResult& result) const {
  const auto n = static_cast<double>(recordings());
  result.set_n_eff(n);
  result.set_value(n > 0 ? static_cast<double>(failed()) / n : 0);
  result.set_bound(AtMost(alpha));
  result.set_alpha(alpha);
}

std::string FailingShare::Text(double alpha) const {
  const double percent = 100 * AtMost(alpha);
  const int digits = percent < 99.5 ? 2 : 3;  // two would make 1e+02 of 100
  return absl::StrFormat("%d of %s fail: at most %.*g%% of such", failed(),
                         agent::base::Counted(recordings(), "recording"), digits, percent);
}

void DecideByWorst(const WorstSeen& worst, const FailingShare& share, double alpha,
                   v1::GateResult& result) {
  result.set_n_eff(static_cast<double>(share.recordings()));
  result.set_value(worst.value);
  result.set_bound(worst.value);
  result.set_limit(worst.limit);
  result.set_margin(worst.margin);
  result.set_alpha(alpha);
}

void DecideByCount(const CountedOut& counted, v1::GateResult& result) {
  result.set_n(counted.n);
  result.set_n_eff(static_cast<double>(counted.n));
  result.set_value(static_cast<double>(counted.wrong));
  result.set_limit(static_cast<double>(counted.allowed));
  result.set_margin(static_cast<double>(counted.allowed) - static_cast<double>(counted.wrong));
}

}  // namespace gatekeeper::gates
