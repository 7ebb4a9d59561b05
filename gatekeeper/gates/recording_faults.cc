#include "gatekeeper/gates/recording_faults.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/log_time.h"

namespace gatekeeper::gates {
namespace {

// A stamp that moved this much further than the time of receipt did not come from a clock that
// merely jitters: the worst honest delay in our recordings is 0.8 s.
constexpr int64_t kJump_ns = 2'000'000'000;
// As the Controller sees it (agent/runtime/input_board.cc): less far behind, a message was
// overtaken.
constexpr int64_t kClockSet_ns = 1'000'000'000;

}  // namespace

void StampsOf(const v1::Observation& observation, std::vector<ChannelStamp>& stamps) {
  stamps.clear();
  const auto add = [&](bool there, std::string_view channel, int64_t stamp_ns) {
    if (there) stamps.push_back({channel, stamp_ns != 0 ? stamp_ns : observation.stamp_ns()});
  };
  add(observation.has_scan(), "scan", observation.scan().stamp_ns());
  add(observation.has_odom(), "odom", observation.odom().stamp_ns());
  add(observation.has_image(), "image", observation.image().stamp_ns());
  add(observation.has_imu(), "imu", observation.imu().stamp_ns());
  add(observation.has_joints(), "joints", observation.joints().stamp_ns());
  for (const auto& [name, signal] : observation.signals()) add(true, name, signal.stamp_ns());
}

void RecordingWatch::See(const std::vector<ChannelStamp>& stamps, int64_t log_time_ns) {
  for (const ChannelStamp& now : stamps) {
    const auto last = last_.find(now.channel);
    if (last == last_.end()) {
      const std::string channel(now.channel);
      last_.emplace(channel, Last{now.stamp_ns, log_time_ns, policy_.FindInput(channel)});
      continue;
    }
    Compare(now, last->second, log_time_ns);
    last->second.stamp_ns = now.stamp_ns;
    last->second.received_ns = log_time_ns;
  }
}

void RecordingWatch::Compare(const ChannelStamp& now, const Last& last, int64_t log_time_ns) {
  const int64_t received = log_time_ns - last.received_ns;
  // Unsigned: stamps come from outside and their difference may not fit.
  const auto stamped = static_cast<int64_t>(static_cast<uint64_t>(now.stamp_ns) -
                                            static_cast<uint64_t>(last.stamp_ns));
  if (now.stamp_ns < last.stamp_ns && stamped < 0 && stamped >= -kClockSet_ns) {
    Note(now.channel, {"overtaken", false}, log_time_ns,
         absl::StrFormat("stamp runs backwards by %.6f s", std::abs(Seconds(stamped))));
  } else if (now.stamp_ns < last.stamp_ns) {
    Note(now.channel, {"backward", true}, log_time_ns,
         absl::StrFormat("stamp runs backwards by %.6f s", std::abs(Seconds(stamped))));
  } else if (stamped == 0 && received > 0) {
    Note(now.channel, {"still", false}, log_time_ns, "stamp stands still though time passed");
  } else if (stamped < 0 || stamped - received > kJump_ns) {
    Note(now.channel, {"jump", true}, log_time_ns,
         absl::StrFormat("stamp jumps ahead by %.3f s", std::abs(Seconds(stamped))));
  }
  const agent::runtime::InputLimits* limits = last.limits;
  if (limits != nullptr && limits->max_age.count() > 0 && received > limits->max_age.count()) {
    Note(now.channel, {"gap", false}, log_time_ns,
         absl::StrFormat("no message for %.3f s, the policy allows %.3f s", Seconds(received),
                         Seconds(limits->max_age.count())));
  }
}

void RecordingWatch::Note(std::string_view channel, const Kind& kind, int64_t at_ns,
                          const std::string& what) {
  const auto [fault, first_time] =
      faults_.try_emplace({std::string(channel), kind.name},
                          RecordingFault{at_ns, std::string(channel), what, 1, kind.clock});
  if (!first_time) ++fault->second.times;
}

std::vector<RecordingFault> RecordingWatch::Faults() const {
  std::vector<RecordingFault> faults;
  for (const auto& [key, fault] : faults_) faults.push_back(fault);
  std::stable_sort(
      faults.begin(), faults.end(),
      [](const RecordingFault& a, const RecordingFault& b) { return a.at_ns < b.at_ns; });
  return faults;
}

}  // namespace gatekeeper::gates
