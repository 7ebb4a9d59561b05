#include "gatekeeper/incident/flight_timeline.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "agent/recording/mcap_reader.h"
#include "agent/recording/recorder_ring.h"
#include "agent/recording/topics.h"
#include "proto/foxglove.pb.h"
#include "proto/health.pb.h"
#include "proto/verdict.pb.h"

namespace gatekeeper::incident {
namespace {

using agent::recording::McapReader;
namespace topics = agent::recording::topics;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kMsNs = 1'000'000;

absl::StatusOr<McapReader> Open(const std::string& path) {
  agent::recording::McapReaderOptions options;
  options.truncation = agent::recording::Truncation::kRecover;
  return McapReader::Open(path, options);
}

// Calls `take` with every message of `topic`, as a T.
template <class T, class Take>
absl::Status ForEach(const McapReader& mcap, const std::string& topic, Take take) {
  return mcap.ForEachMessage({.topics = {topic}}, [&](const agent::recording::Channel&,
                                                      const agent::recording::Message& message) {
    T parsed;
    if (!parsed.ParseFromString(std::string(message.data))) {
      return absl::DataLossError(
          absl::StrFormat("%s: a message of %s cannot be read", mcap.path(), topic));
    }
    take(static_cast<int64_t>(message.log_time_ns), parsed);
    return absl::OkStatus();
  });
}

// A recording's monotonic times as wall-clock times; health samples hold both.
class WallClock {
 public:
  static absl::StatusOr<WallClock> Of(const McapReader& mcap) {
    WallClock clock;
    RETURN_IF_ERROR(ForEach<v1::HealthSample>(mcap, topics::kHealth,
                                              [&](int64_t at, const v1::HealthSample& sample) {
                                                clock.wall_ms_.emplace(at, sample.wall_ms());
                                              }));
    return clock;
  }
  bool known() const { return !wall_ms_.empty(); }
  int64_t At(int64_t ns) const {
    auto next = wall_ms_.upper_bound(ns);
    if (next != wall_ms_.begin()) --next;
    return next->second + (ns - next->first) / kMsNs;
  }

 private:
  std::map<int64_t, int64_t> wall_ms_;  // by monotonic time
};

std::string MilliText(int64_t ns) {
  return absl::StrFormat("%.2f", static_cast<double>(ns) / static_cast<double>(kMsNs));
}

std::string LatencyText(const v1::LatencySplit& latency) {
  return absl::StrFormat("wait %s, copy %s, run %s, check %s, publish %s ms",
                         MilliText(latency.wait_ns()), MilliText(latency.copy_ns()),
                         MilliText(latency.run_ns()), MilliText(latency.check_ns()),
                         MilliText(latency.publish_ns()));
}

int64_t Whole(const v1::LatencySplit& latency) {
  return latency.wait_ns() + latency.copy_ns() + latency.run_ns() + latency.check_ns() +
         latency.publish_ns();
}

// Power and heat in one line; what is absent is not mentioned.
std::string HealthText(const v1::HealthSample& sample) {
  std::vector<std::string> parts;
  if (sample.power_w().has_value()) {
    parts.push_back(absl::StrFormat("%.1f W", sample.power_w().value()));
  }
  if (sample.supply_v().has_value()) {
    parts.push_back(absl::StrFormat("%.2f V", sample.supply_v().value()));
  }
  if (sample.soc_temp_degc().has_value()) {
    parts.push_back(
        absl::StrFormat("%.1f degC (%s)", sample.soc_temp_degc().value(), sample.hottest_zone()));
  }
  if (sample.throttled().has_value()) {
    parts.push_back(sample.throttled().value() > 0 ? "throttled" : "not throttled");
  }
  return absl::StrJoin(parts, ", ");
}

// Of wall-clock time, both ends included.
struct Span {
  int64_t from_ms = std::numeric_limits<int64_t>::max();
  int64_t to_ms = 0;
};

// One recording's lines.
class Telling {
 public:
  Telling(const Span& span, const WallClock& clock, std::vector<TimelineLine>& lines)
      : span_(span), clock_(clock), lines_(lines) {}

  absl::Status Read(const McapReader& mcap) {
    RETURN_IF_ERROR(ForEach<::foxglove::Log>(
        mcap, topics::kEvent,
        [&](int64_t at, const ::foxglove::Log& event) { Say(at, "control", event.message()); }));
    RETURN_IF_ERROR(ForEach<v1::HealthSample>(
        mcap, topics::kHealth,
        [&](int64_t at, const v1::HealthSample& sample) { Tell(at, sample); }));
    RETURN_IF_ERROR(ForEach<v1::TickRecord>(
        mcap, topics::kVerdict, [&](int64_t at, const v1::TickRecord& tick) { Tell(at, tick); }));
    SaySlowest();
    return absl::OkStatus();
  }

 private:
  void Say(int64_t at, const char* who, const std::string& what) {
    const int64_t wall = clock_.At(at);
    if (wall < span_.from_ms || wall > span_.to_ms || what.empty()) return;
    lines_.push_back({wall, who, what});
  }
  void Tell(int64_t at, const v1::HealthSample& sample) {
    const bool throttled = sample.throttled().value() > 0;
    const bool news = throttled != throttled_;
    throttled_ = throttled;
    if (!news && at / kSecondNs == told_health_s_) return;
    told_health_s_ = at / kSecondNs;
    Say(at, "health", HealthText(sample));
  }
  void Tell(int64_t at, const v1::TickRecord& tick) {
    std::string decision = tick.state();
    if (tick.derate() < 1) decision += absl::StrFormat(", speed x %.1f", tick.derate());
    if (!tick.triggers().empty()) decision += ", triggers " + absl::StrJoin(tick.triggers(), " ");
    if (!tick.reasons().empty()) decision += ", because " + absl::StrJoin(tick.reasons(), " ");
    if (tick.deadline_missed()) decision += ", deadline missed";
    if (decision != decision_) {
      decision_ = decision;
      Say(at, "decision",
          absl::StrFormat("%s -> [%s]", decision, absl::StrJoin(tick.enforced(), ", ")));
    }
    if (slowest_ && at / kSecondNs != slowest_at_ / kSecondNs) SaySlowest();
    if (!slowest_ || Whole(tick.latency()) > Whole(*slowest_)) {
      slowest_ = tick.latency();
      slowest_at_ = at;
    }
  }
  void SaySlowest() {
    if (slowest_) Say(slowest_at_, "latency", "slowest tick: " + LatencyText(*slowest_));
    slowest_.reset();
  }

  const Span& span_;
  const WallClock& clock_;
  std::vector<TimelineLine>& lines_;
  bool throttled_ = false;
  int64_t told_health_s_ = -1;
  std::string decision_;
  std::optional<v1::LatencySplit> slowest_;  // of the present second
  int64_t slowest_at_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<TimelineLine>> FlightTimeline(const FlightWindow& window) {
  const absl::StatusOr<std::vector<std::string>> files =
      agent::recording::RecorderRing::FilesOf(window.recorder);
  if (!files.ok()) return absl::NotFoundError(std::string(files.status().message()));
  struct Recording {
    McapReader mcap;
    WallClock clock;
    Span span;
  };
  std::vector<Recording> recordings;
  Span whole;
  for (const std::string& path : *files) {
    ASSIGN_OR_RETURN(McapReader mcap, Open(path));
    ASSIGN_OR_RETURN(WallClock clock, WallClock::Of(mcap));
    if (!clock.known()) continue;  // shorter than a tenth of a second
    const Span span{.from_ms = clock.At(static_cast<int64_t>(mcap.start_ns())),
                    .to_ms = clock.At(static_cast<int64_t>(mcap.end_ns()))};
    whole = {std::min(whole.from_ms, span.from_ms), std::max(whole.to_ms, span.to_ms)};
    recordings.push_back({std::move(mcap), std::move(clock), span});
  }
  if (recordings.empty()) {
    return absl::NotFoundError(window.recorder +
                               " holds no flight recording; a robot's is DIR/control/recorder");
  }
  const int64_t until = window.until_wall_ms.value_or(whole.to_ms);
  const Span wanted{.from_ms = until - static_cast<int64_t>(window.seconds * 1000), .to_ms = until};
  std::vector<TimelineLine> lines;
  for (const Recording& recording : recordings) {
    const Span& span = recording.span;
    if (span.to_ms < wanted.from_ms || span.from_ms > wanted.to_ms) continue;
    RETURN_IF_ERROR(Telling(wanted, recording.clock, lines).Read(recording.mcap));
  }
  if (lines.empty()) {
    return absl::NotFoundError(
        absl::StrFormat("%s has nothing of that time; it tells of %s to %s UTC", window.recorder,
                        UtcText(whole.from_ms), UtcText(whole.to_ms)));
  }
  std::ranges::stable_sort(lines, {}, &TimelineLine::wall_ms);
  return lines;
}

}  // namespace gatekeeper::incident
