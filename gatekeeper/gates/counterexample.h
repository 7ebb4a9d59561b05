#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "gatekeeper/gates/fault.h"
#include "gatekeeper/gates/replay.h"
#include "proto/evidence.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::gates {

// Five seconds before and after `at_ns` as a recording of its own: the inputs as the controller
// heard them (of a drive with a fault: as the fault left them, with the odometry of the robot that
// obeyed), the recorded commands, and what the unit made of them on /verdict. A drive with a fault
// is there from where it began to where it was no longer watched, so that a replay of the clip
// gives its verdicts, as far as the fault was in the inputs; what lay in the model, or in what the
// computer measures of itself, is told in words only. The drive of a changed recording has the
// verdicts on the unchanged one beside its own, on /verdict/unchanged. For a 3D view: /tf, the
// policy's zones and the robot's outline on /scene, and from the failing second on what was found;
// the same words on /event. Of a drive in a rebuilt world the way that it took is on /drive/pose,
// in the site frame, and /verdict has what it was commanded there, beside what was recorded at
// those seconds. `about` becomes the Metadata record
// "counterexample". The file replaces one of the same name.
struct Counterexample {
  const Replay* replay = nullptr;
  const v1::ControlPolicy* policy = nullptr;
  Fault fault;
  const Replay* unchanged = nullptr;         // null: the recording was not changed
  const v1::ClosedLoopRun* drive = nullptr;  // null: the finding is not of such a drive
  int64_t at_ns = 0;
  std::map<std::string, std::string> about;
};
absl::Status WriteCounterexample(const Counterexample& example, const std::string& path);

// Writes the clips of every failed gate's worst findings (at most kMaxClips a gate) into `folder`
// and names them in the findings. A clip that cannot be written is told in the finding; the verdict
// stands either way.
struct Evidence;
inline constexpr int kMaxClips = 5;
void WriteClips(const Evidence& evidence, const std::string& folder, v1::GateReport& report);

}  // namespace gatekeeper::gates
