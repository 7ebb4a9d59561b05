#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"

namespace gatekeeper::gates {

v1::GateResult JudgeDeterminism(const Evidence& evidence) {
  v1::GateResult result;
  std::map<size_t, std::vector<const StreamDigest*>> by_scenario;
  uint32_t runs = 0;
  for (const StreamDigest& stream : evidence.streams) {
    by_scenario[stream.scenario].push_back(&stream);
    runs = std::max(runs, stream.run + 1);
  }
  uint64_t compared = 0;
  FailingShare share;
  for (const auto& [scenario, streams] : by_scenario) {
    const Replay& replay = evidence.replays[scenario];
    if (replay.ticks.empty()) continue;
    ++compared;
    share.Add(replay, false);
    for (const StreamDigest* stream : streams) {
      if (stream->verdicts == replay.verdicts) continue;
      share.Add(replay, true);
      *result.add_findings() =
          FindingAt(replay, replay.first_ns,
                    absl::StrFormat("run %d with %d threads gave verdict stream %s, run 0 gave %s",
                                    stream->run, stream->threads, stream->verdicts.short_hex(),
                                    replay.verdicts.short_hex()));
      break;
    }
  }
  result.set_n(compared);
  share.Decide(evidence.suite.alpha(), result);
  const bool enough = compared > 0 && runs >= evidence.suite.determinism().runs();
  result.set_outcome(result.findings_size() > 0 ? v1::FAIL : enough ? v1::PASS : v1::INSUFFICIENT);
  result.set_summary(absl::StrFormat(
      "%d of %d verdict streams differ over %s; %s", result.findings_size(), compared,
      agent::base::Counted(runs, "run"), share.Text(evidence.suite.alpha())));
  return result;
}

}  // namespace gatekeeper::gates
