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
#include "gatekeeper/gates/corpus.h"
#include "gatekeeper/gates/failing_drive.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/heard_inputs.h"

namespace gatekeeper::gates {
namespace {

using agent::base::Nanos;

constexpr int64_t kAround_ns = 5'000'000'000;
constexpr char kDriveTopic[] = "/drive/pose";
constexpr char kUnchangedTopic[] = "/verdict/unchanged";
constexpr char kInCorpus[] = "corpus/";  // before the ids of its clips

size_t TickFromOn(const std::vector<v1::TickRecord>& ticks, int64_t from_ns) {
  const auto first =
      std::lower_bound(ticks.begin(), ticks.end(), from_ns,
                       [](const v1::TickRecord& tick, int64_t at) { return tick.now_ns() < at; });
  return static_cast<size_t>(first - ticks.begin());
}

// Merges what was heard with the replay's ticks, in order of time.
class ClipCopy {
 public:
  ClipCopy(const Counterexample& example, int64_t from_ns, int64_t to_ns,
           agent::recording::ObservationWriter& writer)
      : example_(example), from_ns_(from_ns), to_ns_(to_ns), writer_(writer) {
    next_ = TickFromOn(example.replay->ticks, from_ns);
    if (example.unchanged != nullptr)
      next_unchanged_ = TickFromOn(example.unchanged->ticks, from_ns);
  }

  absl::Status Take(const agent::recording::RecordedItem& item) {
    if (item.log_time_ns < from_ns_ || item.log_time_ns > to_ns_) return absl::OkStatus();
    RETURN_IF_ERROR(WriteTicksBefore(item.log_time_ns));
    RETURN_IF_ERROR(WriteDriveBefore(item.log_time_ns));
    const Nanos at(item.log_time_ns);
    if (const auto* command = std::get_if<v1::Command>(&item.content))
      return writer_.Write(*command, at);
    const auto* observation = std::get_if<v1::Observation>(&item.content);
    if (observation == nullptr) return absl::OkStatus();  // the verdicts of another unit
    RETURN_IF_ERROR(Point(item.log_time_ns));
    if (observation->has_odom()) {
      RETURN_IF_ERROR(writer_.WriteMessage(agent::recording::topics::kTransform,
                                           agent::recording::BodyTransform(observation->odom()),
                                           at));
      if (!drawn_) RETURN_IF_ERROR(Draw(observation->odom().stamp_ns(), at));
    }
    return writer_.Write(*observation, at);
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
    if (example_.unchanged == nullptr) return absl::OkStatus();
    const auto& unchanged = example_.unchanged->ticks;
    for (; next_unchanged_ < unchanged.size() && unchanged[next_unchanged_].now_ns() < before_ns;
         ++next_unchanged_) {
      const v1::TickRecord& tick = unchanged[next_unchanged_];
      RETURN_IF_ERROR(writer_.WriteMessage(kUnchangedTopic, tick, Nanos(tick.now_ns())));
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
  size_t next_unchanged_ = 0;
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
        SecondOfEnd(run) == finding.at_s()) {
      return &run;
    }
  }
  return nullptr;
}

// As it was recorded; null: it was not replayed.
const Replay* FindReplay(const Evidence& evidence, const std::string& scenario) {
  for (const Replay& replay : evidence.replays) {
    if (replay.id() == scenario) return &replay;
  }
  if (evidence.corpus == nullptr) return nullptr;
  for (const Replay& replay : evidence.corpus->replays) {
    if (kInCorpus + replay.id() == scenario) return &replay;
  }
  return nullptr;
}

// The replay that a finding speaks of; no replay for findings about files and for what was not
// replayed.
Counterexample ExampleFor(const Evidence& evidence, const std::string& gate,
                          const v1::Finding& finding, v1::ControlPolicy& policy) {
  Counterexample example;
  example.policy = &policy;
  const Replay* const clean = FindReplay(evidence, finding.scenario());
  if (clean == nullptr) return example;
  example.replay = clean;
  if (const FailingDrive* drive = FindFailing(evidence, gate, finding)) {
    example.replay = &drive->replay;
    example.fault = drive->planned.fault;
    if (drive->relation != nullptr) {
      example.unchanged = clean;
      policy = PolicyUnder(*drive->relation, policy);
    }
  } else if (const FaultRun* run = FindRun(evidence.stale_runs, finding)) {
    example.replay = &run->replay;
    example.fault = run->planned.fault;
  }
  if (gate == "closed_loop") example.drive = FindDrive(evidence, finding);
  if (example.replay->ticks.empty()) example.replay = nullptr;
  example.at_ns = clean->first_ns + std::llround(finding.at_s() * 1e9);
  return example;
}

// What the replay heard; of a plain one no more is read than is wanted.
absl::Status Hear(const Counterexample& example, int64_t from_ns, int64_t to_ns,
                  const agent::recording::ObservationReader::Callback& hear) {
  const Scenario& scenario = *example.replay->scenario;
  if (example.fault.kind != Fault::Kind::kNone) {
    ASSIGN_OR_RETURN(const agent::runtime::Policy policy,
                     agent::runtime::Policy::Compile(*example.policy));
    return ForEachHeard(scenario, policy, example.fault, example.replay->ticks, hear);
  }
  const auto& channels = scenario.document.channels();
  ASSIGN_OR_RETURN(
      const auto reader,
      agent::recording::ObservationReader::Open(
          scenario.recording, agent::recording::ChannelMap(channels.begin(), channels.end())));
  return reader.ForEach(from_ns, to_ns, hear);
}

void AddClips(const Evidence& evidence, const std::string& folder, const v1::GateReport& report,
              v1::GateResult& gate) {
  int written = 0;
  for (v1::Finding& finding : *gate.mutable_findings()) {
    if (written >= kMaxClips) return;
    v1::ControlPolicy policy = evidence.policy;
    Counterexample example = ExampleFor(evidence, gate.id(), finding, policy);
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
                     {"fault", Text(example.fault)},
                     {"finding", finding.message()}};
    const std::string path = absl::StrFormat("%s/%s-%d-%s-%.2fs.mcap", folder, gate.id(), written,
                                             example.replay->id(), finding.at_s());
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
  // Whoever kills the run leaves no clip that ends in the middle of a second.
  const std::string part = path + ".part";
  ASSIGN_OR_RETURN(auto writer, agent::recording::ObservationWriter::Create(part));
  RETURN_IF_ERROR(
      writer.WriteMetadata({"counterexample", {example.about.begin(), example.about.end()}}));
  const int64_t from_ns = example.fault.from_ns > 0
                              ? example.fault.from_ns
                              : std::max<int64_t>(example.at_ns - kAround_ns, 0);
  const int64_t to_ns = std::max(example.at_ns + kAround_ns, example.fault.until_ns);
  ClipCopy copy(example, from_ns, to_ns, writer);
  RETURN_IF_ERROR(Hear(example, from_ns, to_ns, [&](const auto& item) { return copy.Take(item); }));
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
