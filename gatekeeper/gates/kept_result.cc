#include "gatekeeper/gates/kept_result.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/compression.h"
#include "agent/recording/zstd_file.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/digest_bytes.h"

namespace gatekeeper::gates {
namespace {

constexpr std::string_view kMark("GKRESULT1\n", 10);
constexpr int kMeasured = 5;  // numbers of one odometry

absl::Status Contradiction(const char* what) {
  return absl::DataLossError(absl::StrFormat("a kept replay contradicts itself: %s", what));
}

absl::Status CheckShape(const v1::KeptReplay& kept) {
  if (kept.verdicts().size() != kDigestSize) return Contradiction("its digest has a wrong length");
  if (kept.code() > static_cast<uint32_t>(absl::StatusCode::kUnauthenticated)) {
    return Contradiction("its status has no meaning");
  }
  if (kept.frame_tick_size() != kept.frame_ns_size()) {
    return Contradiction("frames and their times differ in number");
  }
  if (kept.zone_change_ns_size() != kept.zone_occupied_size()) {
    return Contradiction("zone changes and their times differ in number");
  }
  if (kept.motion_clearance_m_size() != kept.ticks_size()) {
    return Contradiction("ticks and clearances differ in number");
  }
  if (kept.measured_size() % kMeasured != 0 ||
      kept.measured_size() / kMeasured != kept.ticks_size()) {
    return Contradiction("ticks and measured poses differ in number");
  }
  for (const uint64_t tick : kept.frame_tick()) {
    if (tick >= static_cast<uint64_t>(kept.ticks_size()))
      return Contradiction("a frame belongs to no tick");
  }
  return absl::OkStatus();
}

absl::Status CheckVerdicts(const v1::KeptReplay& kept) {
  if (kept.ticks().empty()) return absl::OkStatus();  // only the digest was wanted
  agent::trust::Sha256Stream stream;
  for (const v1::TickRecord& tick : kept.ticks()) stream.Update(tick.SerializeAsString());
  return View(stream.Finish()) == kept.verdicts()
             ? absl::OkStatus()
             : Contradiction("its ticks do not give its verdict stream");
}

}  // namespace

std::string ResultKey::Text() const {
  return absl::StrFormat("unit %s\nscenario %s\nengine %s\nprogram %s\nvariant %s\nrun %d\n",
                         unit.hex(), scenario.hex(), engine, program.hex(), variant, run);
}

absl::StatusOr<agent::base::Digest> ProgramDigest() {
  return agent::trust::Sha256File("/proc/self/exe");
}

v1::KeptResult Pack(const Replay& replay) {
  // A member that is added there must be added here: this line does not compile before it is named.
  const auto& [scenario, status, first_ns, last_ns, ticks, commands, faults, channels, clearance,
               measured, zone_changes, frames, verdicts, horizon] = replay;
  (void)scenario;
  (void)horizon;  // made anew from the suite's limits
  v1::KeptResult result;
  v1::KeptReplay& kept = *result.mutable_replay();
  kept.set_code(static_cast<uint32_t>(status.code()));
  kept.set_message(std::string(status.message()));
  kept.set_first_ns(first_ns);
  kept.set_last_ns(last_ns);
  kept.mutable_ticks()->Assign(ticks.begin(), ticks.end());
  for (const RecordedCommand& command : commands) {
    v1::KeptCommand& to = *kept.add_commands();
    to.set_at_ns(command.at_ns);
    to.mutable_values()->Assign(command.values.begin(), command.values.end());
  }
  for (const RecordingFault& fault : faults) {
    v1::KeptRecordingFault& to = *kept.add_faults();
    to.set_at_ns(fault.at_ns);
    to.set_channel(fault.channel);
    to.set_what(fault.what);
    to.set_times(fault.times);
    to.set_clock(fault.clock);
  }
  for (const std::string& channel : channels) kept.add_channels(channel);
  kept.mutable_motion_clearance_m()->Assign(clearance.begin(), clearance.end());
  for (const MeasuredMotion& m : measured) {
    for (const double value : {m.x_m, m.y_m, m.yaw_rad, m.vx_mps, m.wz_radps})
      kept.add_measured(value);
  }
  for (const ZoneChange& change : zone_changes) {
    kept.add_zone_change_ns(change.at_ns);
    kept.add_zone_occupied(change.occupied);
  }
  for (const Frame& frame : frames) {
    kept.add_frame_tick(frame.tick);
    kept.add_frame_ns(frame.took.count());
  }
  kept.set_verdicts(std::string(View(verdicts)));
  return result;
}

absl::Status Unpack(const v1::KeptResult& result, const Scenario& scenario, Replay& replay) {
  if (!result.has_replay()) return absl::DataLossError("the kept result is no replay");
  const v1::KeptReplay& kept = result.replay();
  RETURN_IF_ERROR(CheckShape(kept));
  RETURN_IF_ERROR(CheckVerdicts(kept));
  replay.scenario = &scenario;
  replay.status = absl::Status(static_cast<absl::StatusCode>(kept.code()), kept.message());
  replay.first_ns = kept.first_ns();
  replay.last_ns = kept.last_ns();
  replay.ticks.assign(kept.ticks().begin(), kept.ticks().end());
  replay.commands.clear();
  for (const v1::KeptCommand& command : kept.commands())
    replay.commands.push_back(
        {command.at_ns(), {command.values().begin(), command.values().end()}});
  replay.faults.clear();
  for (const v1::KeptRecordingFault& fault : kept.faults())
    replay.faults.push_back(
        {fault.at_ns(), fault.channel(), fault.what(), fault.times(), fault.clock()});
  replay.channels = {kept.channels().begin(), kept.channels().end()};
  replay.motion_clearance_m.assign(kept.motion_clearance_m().begin(),
                                   kept.motion_clearance_m().end());
  replay.measured.clear();
  for (int i = 0; i < kept.measured_size(); i += kMeasured) {
    replay.measured.push_back({kept.measured(i), kept.measured(i + 1), kept.measured(i + 2),
                               kept.measured(i + 3), kept.measured(i + 4)});
  }
  replay.zone_changes.clear();
  for (int i = 0; i < kept.zone_change_ns_size(); ++i)
    replay.zone_changes.push_back({kept.zone_change_ns(i), kept.zone_occupied(i)});
  replay.frames.clear();
  for (int i = 0; i < kept.frame_tick_size(); ++i)
    replay.frames.push_back({kept.frame_tick(i), agent::base::Nanos(kept.frame_ns(i))});
  std::copy(kept.verdicts().begin(), kept.verdicts().end(), replay.verdicts.bytes.begin());
  return absl::OkStatus();
}

v1::KeptResult Pack(const v1::ClosedLoopRun& drive) {
  v1::KeptResult result;
  *result.mutable_drive() = drive;
  return result;
}

absl::Status Unpack(const v1::KeptResult& kept, const Scenario& scenario,
                    v1::ClosedLoopRun& drive) {
  if (!kept.has_drive()) return absl::DataLossError("the kept result is no simulated drive");
  if (kept.drive().scenario() != scenario.document.id())
    return absl::DataLossError("the kept drive belongs to another scenario");
  drive = kept.drive();
  return absl::OkStatus();
}

v1::KeptResult Pack(const v1::HurtDrive& drive) {
  v1::KeptResult result;
  *result.mutable_hurt() = drive;
  return result;
}

absl::Status Unpack(const v1::KeptResult& kept, const Scenario& scenario, v1::HurtDrive& drive) {
  if (!kept.has_hurt()) return absl::DataLossError("the kept result is no drive with a fault");
  if (kept.hurt().scenario() != scenario.document.id())
    return absl::DataLossError("the kept drive belongs to another scenario");
  drive = kept.hurt();
  return absl::OkStatus();
}

v1::KeptResult Pack(const v1::RelationCheck& check) {
  v1::KeptResult result;
  *result.mutable_relation() = check;
  return result;
}

absl::Status Unpack(const v1::KeptResult& kept, const Scenario& scenario,
                    v1::RelationCheck& check) {
  if (!kept.has_relation()) return absl::DataLossError("the kept result is no check of a relation");
  if (kept.relation().scenario() != scenario.document.id())
    return absl::DataLossError("the kept check belongs to another scenario");
  check = kept.relation();
  return absl::OkStatus();
}

absl::StatusOr<std::string> SealResult(const ResultKey& key, v1::KeptResult result) {
  result.set_key(key.Text());
  std::string plain;
  if (result.ByteSizeLong() > kMaxResult || !result.SerializeToString(&plain)) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("a result of more than %d bytes is not kept", kMaxResult));
  }
  ASSIGN_OR_RETURN(const std::string packed,
                   agent::recording::Compress(agent::recording::Compression::kZstd, plain));
  return absl::StrFormat("%s%s%s", kMark, View(agent::trust::Sha256(packed)), packed);
}

absl::StatusOr<v1::KeptResult> OpenResult(const ResultKey& key, std::string_view bytes) {
  if (bytes.substr(0, kMark.size()) != kMark || bytes.size() < kMark.size() + kDigestSize)
    return absl::DataLossError("a kept result is cut off, or something else");
  const std::string_view packed = bytes.substr(kMark.size() + kDigestSize);
  if (View(agent::trust::Sha256(packed)) != bytes.substr(kMark.size(), kDigestSize))
    return absl::DataLossError("a kept result does not match its digest");
  ASSIGN_OR_RETURN(const agent::recording::Buffer plain,
                   agent::recording::UnpackZstdFrame(packed, kMaxResult));
  v1::KeptResult result;
  if (plain.size > kMaxResult ||
      !result.ParseFromArray(plain.bytes.get(), static_cast<int>(plain.size)))
    return absl::DataLossError("a kept result does not parse");
  if (result.key() != key.Text())
    return absl::DataLossError("a kept result belongs to another job");
  return result;
}

}  // namespace gatekeeper::gates
