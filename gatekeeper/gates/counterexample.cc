#include "gatekeeper/gates/counterexample.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <variant>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/recording/foxglove_codec.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/observation_writer.h"
#include "agent/recording/topics.h"
#include "gatekeeper/gates/clip_scene.h"
#include "gatekeeper/gates/closed_drive.h"
#include "gatekeeper/gates/gate.h"

namespace gatekeeper::gates {
namespace {

using agent::base::Nanos;

constexpr int64_t kAround_ns = 5'000'000'000;
constexpr char kDriveTopic[] = "/drive/pose";

// Merges the recording's items with the replay's ticks, in order of time.
class ClipCopy {
 public:
  ClipCopy(const Counterexample& example, int64_t from_ns, int64_t to_ns,
           agent::recording::ObservationWriter& writer)
      : example_(example), from_ns_(from_ns), to_ns_(to_ns), writer_(writer) {
    const auto& ticks = example.replay->ticks;
    const auto first =
        std::lower_bound(ticks.begin(), ticks.end(), from_ns,
                         [](const v1::TickRecord& tick, int64_t at) { return tick.now_ns() < at; });
    next_ = static_cast<size_t>(first - ticks.begin());
  }

  absl::Status Take(const agent::recording::RecordedItem& item) {
    RETURN_IF_ERROR(WriteTicksBefore(item.log_time_ns));
    RETURN_IF_ERROR(WriteDriveBefore(item.log_time_ns));
    const Nanos at(item.log_time_ns);
    if (const auto* command = std::get_if<v1::Command>(&item.content))
      return writer_.Write(*command, at);
    const auto* recorded = std::get_if<v1::Observation>(&item.content);
    if (recorded == nullptr) return absl::OkStatus();  // the verdicts of another unit
    v1::Observation observation = *recorded;
    Apply(example_.fault, item.log_time_ns, observation);
    RETURN_IF_ERROR(Point(item.log_time_ns));
    if (observation.has_odom()) {
      RETURN_IF_ERROR(writer_.WriteMessage(agent::recording::topics::kTransform,
                                           agent::recording::BodyTransform(observation.odom()),
                                           at));
      if (!drawn_) RETURN_IF_ERROR(Draw(observation.odom().stamp_ns(), at));
    }
    return writer_.Write(observation, at);
  }

  absl::Status Finish() {
    RETURN_IF_ERROR(WriteTicksBefore(to_ns_ + 1));
    return WriteDriveBefore(to_ns_ + 1);
  }

 private:
  // The scene, once the robot's place is known.
  absl::Status Draw(int64_t stamp_ns, Nanos at) {
    drawn_ = true;
    return writer_.WriteMessage(agent::recording::topics::kScene,
                                PolicyScene(*example_.policy, stamp_ns), at);
  }

  // Says what was found, once its second has come.
  absl::Status Point(int64_t now_ns) {
    if (pointed_ || now_ns < example_.at_ns) return absl::OkStatus();
    pointed_ = true;
    const auto words = example_.about.find("finding");
    if (words == example_.about.end()) return absl::OkStatus();
    RETURN_IF_ERROR(writer_.WriteMessage(
        agent::recording::topics::kEvent,
        agent::recording::LogEntry(now_ns, foxglove::Log::ERROR, words->second), Nanos(now_ns)));
    return writer_.WriteMessage(agent::recording::topics::kScene,
                                FindingScene(words->second, now_ns), Nanos(now_ns));
  }

  absl::Status WriteTicksBefore(int64_t before_ns) {
    const auto& ticks = example_.replay->ticks;
    for (; next_ < ticks.size() && ticks[next_].now_ns() < before_ns; ++next_) {
      RETURN_IF_ERROR(writer_.Write(ticks[next_], Nanos(ticks[next_].now_ns())));
    }
    return absl::OkStatus();
  }

  // Also behind the recording's end: a drive may take longer.
  absl::Status WriteDriveBefore(int64_t before_ns) {
    if (example_.drive == nullptr) return absl::OkStatus();
    const v1::ClosedLoopRun& drive = *example_.drive;
    for (; next_pose_ < drive.x_m_size(); ++next_pose_) {
      const double second = drive.start_s() + next_pose_ * drive.period_s();
      const int64_t at_ns = example_.replay->first_ns + std::llround(second * 1e9);
      if (at_ns >= before_ns) break;
      if (at_ns < from_ns_) continue;
      RETURN_IF_ERROR(Point(at_ns));
      v1::Odometry odom;
      odom.set_stamp_ns(at_ns);
      odom.set_x_m(drive.x_m(next_pose_));
      odom.set_y_m(drive.y_m(next_pose_));
      odom.set_yaw_rad(drive.yaw_rad(next_pose_));
      RETURN_IF_ERROR(
          writer_.WriteMessage(kDriveTopic, agent::recording::ToFoxglove(odom), Nanos(at_ns)));
    }
    return absl::OkStatus();
  }

  const Counterexample& example_;
  int64_t from_ns_;
  int64_t to_ns_;
  agent::recording::ObservationWriter& writer_;
  size_t next_ = 0;
  int next_pose_ = 0;
  bool drawn_ = false;
  bool pointed_ = false;
};

const FaultRun* FindRun(const std::vector<FaultRun>& runs, const v1::Finding& finding) {
  for (const FaultRun& run : runs) {
    if (run.planned.id == finding.segment() && run.replay.id() == finding.scenario()) return &run;
  }
  return nullptr;
}

const v1::ClosedLoopRun* FindDrive(const Evidence& evidence, const v1::Finding& finding) {
  for (const v1::ClosedLoopRun& run : evidence.closed_loop) {
    if (run.not_used().empty() && run.scenario() == finding.scenario() &&
        run.start_s() + EndSecond(run) == finding.at_s()) {
      return &run;
    }
  }
  return nullptr;
}

// The replay that a finding speaks of; no replay for findings about files and for what was not
// replayed.
Counterexample ExampleFor(const Evidence& evidence, const v1::Finding& finding) {
  Counterexample example;
  example.policy = &evidence.policy;
  const FaultRun* run = FindRun(evidence.stale_runs, finding);
  if (run == nullptr) run = FindRun(evidence.network_runs, finding);
  if (run != nullptr) {
    example.replay = &run->replay;
    example.fault = run->planned.fault;
  } else {
    for (const Replay& replay : evidence.replays) {
      if (replay.id() == finding.scenario()) example.replay = &replay;
    }
  }
  if (example.replay != nullptr && example.replay->ticks.empty()) example.replay = nullptr;
  if (example.replay != nullptr) {
    example.at_ns = example.replay->first_ns + std::llround(finding.at_s() * 1e9);
  }
  return example;
}

void AddClips(const Evidence& evidence, const std::string& folder, const v1::GateReport& report,
              v1::GateResult& gate) {
  int written = 0;
  for (v1::Finding& finding : *gate.mutable_findings()) {
    if (written >= kMaxClips) return;
    Counterexample example = ExampleFor(evidence, finding);
    if (gate.id() == "closed_loop") example.drive = FindDrive(evidence, finding);
    if (example.replay == nullptr) continue;
    ++written;
    example.about = {{"gate", gate.id()},
                     {"unit", report.unit_name() + "@" + report.unit_version()},
                     {"unit_sha256", report.unit_digest()},
                     {"suite", report.suite_id()},
                     {"suite_sha256", report.suite_sha256()},
                     {"engine", report.engine()},
                     {"scenario", finding.scenario()},
                     {"recording_sha256", example.replay->scenario->document.sha256()},
                     {"second", absl::StrFormat("%.3f", finding.at_s())},
                     {"segment", finding.segment()},
                     {"finding", finding.message()}};
    const std::string path = absl::StrFormat("%s/%s-%d-%s-%.2fs.mcap", folder, gate.id(), written,
                                             finding.scenario(), finding.at_s());
    const absl::Status status = WriteCounterexample(example, path);
    if (status.ok()) {
      finding.set_clip(path);
    } else {
      finding.set_message(finding.message() + "; no clip: " + std::string(status.message()));
    }
  }
}

}  // namespace

absl::Status WriteCounterexample(const Counterexample& example, const std::string& path) {
  const auto& channels = example.replay->scenario->document.channels();
  ASSIGN_OR_RETURN(const auto reader,
                   agent::recording::ObservationReader::Open(
                       example.replay->scenario->recording,
                       agent::recording::ChannelMap(channels.begin(), channels.end())));
  // Whoever kills the run leaves no clip that ends in the middle of a second.
  const std::string part = path + ".part";
  ASSIGN_OR_RETURN(auto writer, agent::recording::ObservationWriter::Create(part));
  RETURN_IF_ERROR(
      writer.WriteMetadata({"counterexample", {example.about.begin(), example.about.end()}}));
  const int64_t from_ns = std::max<int64_t>(example.at_ns - kAround_ns, 0);
  const int64_t to_ns = std::max(example.at_ns + kAround_ns, example.fault.until_ns);
  ClipCopy copy(example, from_ns, to_ns, writer);
  RETURN_IF_ERROR(
      reader.ForEach(from_ns, to_ns, [&](const auto& item) { return copy.Take(item); }));
  RETURN_IF_ERROR(copy.Finish());
  RETURN_IF_ERROR(writer.Close());
  return agent::base::OsFiles().Rename(part, path);
}

void WriteClips(const Evidence& evidence, const std::string& folder, v1::GateReport& report) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);  // a failure shows in every clip's own error
  for (v1::GateResult& gate : *report.mutable_gates()) {
    if (gate.outcome() == v1::FAIL) AddClips(evidence, folder, report, gate);
  }
}

}  // namespace gatekeeper::gates
