#include "gatekeeper/gates/minimise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/recording/clip.h"
#include "agent/recording/mcap_reader.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/topics.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/clip_judge.h"
#include "gatekeeper/gates/scenario_file.h"

namespace gatekeeper::gates {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSecond_ns = 1'000'000'000;

// What is left of the scenario: log times, both included, and topics.
struct Piece {
  int64_t from_ns = 0;
  int64_t to_ns = 0;
  std::set<std::string> topics;
  int64_t span_ns() const { return to_ns - from_ns; }
};

agent::recording::ChannelMap ChannelsOf(const v1::Scenario& scenario) {
  return {scenario.channels().begin(), scenario.channels().end()};
}

// When second 0 of a scenario is: its first message that a robot channel is made of.
absl::StatusOr<int64_t> FirstTime(const std::string& recording, const v1::Scenario& scenario) {
  ASSIGN_OR_RETURN(const auto reader,
                   agent::recording::ObservationReader::Open(recording, ChannelsOf(scenario)));
  std::optional<int64_t> first;
  const absl::Status status = reader.ForEach([&](const agent::recording::RecordedItem& item) {
    if (std::holds_alternative<v1::TickRecord>(item.content)) return absl::OkStatus();
    first = item.log_time_ns;
    return absl::CancelledError("found");
  });
  if (first) return *first;
  RETURN_IF_ERROR(status);
  return absl::NotFoundError("the piece holds no observation and no command");
}

// Where the channel's messages lie.
std::string TopicOf(const std::string& channel, const v1::Scenario& scenario) {
  const auto mapped = scenario.channels().find(channel);
  if (mapped != scenario.channels().end()) return mapped->second;
  constexpr std::array<std::string_view, 6> kOfTheirOwn = {"scan", "odom",   "image",
                                                           "imu",  "joints", "command"};
  const bool own = std::find(kOfTheirOwn.begin(), kOfTheirOwn.end(), channel) != kOfTheirOwn.end();
  return own ? "/" + channel : std::string(agent::recording::topics::kSignals) + channel;
}

// What a piece may do without: what the policy does not require. Commands tell what was driven,
// packets what came together.
std::vector<std::string> Droppable(const std::set<std::string>& topics,
                                   const v1::ControlPolicy& policy, const v1::Scenario& scenario) {
  std::set<std::string> needed = {agent::recording::topics::kPacket, TopicOf("command", scenario),
                                  TopicOf("packet", scenario)};
  for (const auto& [channel, rule] : policy.inputs()) {
    if (rule.required()) needed.insert(TopicOf(channel, scenario));
  }
  std::vector<std::string> droppable;
  for (const std::string& topic : topics) {
    if (needed.count(topic) == 0) droppable.push_back(topic);
  }
  return droppable;
}

double Micros(double seconds) { return std::round(seconds * 1e6) / 1e6; }

// The parts of the segments that lie in [from_s, from_s + length_s), told from its beginning.
std::vector<v1::Segment> SegmentsWithin(const v1::Scenario& scenario, double from_s,
                                        double length_s) {
  std::vector<v1::Segment> segments;
  for (const v1::Segment& segment : scenario.segments()) {
    v1::Segment part = segment;
    part.set_from_s(Micros(std::max(0.0, segment.from_s() - from_s)));
    part.set_to_s(Micros(std::min(length_s, segment.to_s() - from_s)));
    if (part.from_s() < part.to_s()) segments.push_back(std::move(part));
  }
  return segments;
}

class Shrinker {
 public:
  Shrinker(const bundle::UngatedUnit& unit, const MinimiseRequest& request, const ClipJudge& judge)
      : unit_(unit),
        request_(request),
        judge_(judge),
        base_(request.folder + "/" + request.scenario.document.id() + "-min") {}

  absl::StatusOr<Minimised> Run() {
    RETURN_IF_ERROR(Begin());
    RETURN_IF_ERROR(CutTime());
    RETURN_IF_ERROR(DropTopics());
    if (done_.scenario.empty()) {  // nothing could be cut: the whole is the smallest piece
      ASSIGN_OR_RETURN(const bool fails, Try(left_));
      if (!fails) {
        return absl::FailedPreconditionError(
            absl::StrFormat("%s fails %s only on the recording itself, not on a copy of it",
                            request_.scenario.document.id(), request_.gate));
      }
    }
    done_.spent = Spent();
    return std::move(done_);
  }

 private:
  absl::Status Begin() {
    const v1::Scenario& document = request_.scenario.document;
    ASSIGN_OR_RETURN(const ClipVerdict whole, judge_.Judge(request_.scenario));
    RETURN_IF_ERROR(whole.replayed);
    if (!whole.fails()) {
      return absl::FailedPreconditionError(
          absl::StrFormat("%s does not fail %s with %s, so there is nothing to shrink: %s",
                          unit_.label(), request_.gate, document.id(), whole.result.summary()));
    }
    ASSIGN_OR_RETURN(const auto mcap,
                     agent::recording::McapReader::Open(request_.scenario.recording));
    left_ = {.from_ns = static_cast<int64_t>(mcap.start_ns()),
             .to_ns = static_cast<int64_t>(mcap.end_ns()),
             .topics = {}};
    for (const auto& [id, channel] : mcap.channels()) left_.topics.insert(channel.topic);
    droppable_ = Droppable(left_.topics, whole.policy, document);
    ASSIGN_OR_RETURN(first_ns_, FirstTime(request_.scenario.recording, document));
    period_ns_ = std::llround(1e9 / whole.policy.command().rate_hz());
    done_.before_s = static_cast<double>(left_.span_ns()) * 1e-9;
    if (!request_.second) return agent::base::OsFiles().MakeFolders(request_.folder);
    if (!(*request_.second >= 0 && *request_.second <= done_.before_s)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("second %g does not lie in %s, which is %.3f s long", *request_.second,
                          document.id(), done_.before_s));
    }
    keep_ns_ = first_ns_ + std::llround(*request_.second * 1e9);
    return agent::base::OsFiles().MakeFolders(request_.folder);
  }

  bool Spent() const { return done_.trials >= request_.trials; }

  // The end first: it costs a replay less than the front, which may be needed to get going.
  absl::Status CutTime() {
    int64_t step_ns = left_.span_ns() / 2;
    for (bool shrunk = true; shrunk && !Spent(); step_ns = std::min(kSecond_ns, step_ns)) {
      ASSIGN_OR_RETURN(const bool end, CutSide(step_ns, false));
      ASSIGN_OR_RETURN(const bool front, CutSide(std::min(step_ns, left_.span_ns() / 2), true));
      shrunk = end || front;
      step_ns = std::min(step_ns, left_.span_ns() / 2);
    }
    return absl::OkStatus();
  }

  // Steps of half the size whenever one was too long, down to one control period.
  absl::StatusOr<bool> CutSide(int64_t step_ns, bool front) {
    bool shrunk = false;
    step_ns = std::max(step_ns, period_ns_);
    while (!Spent()) {
      Piece piece = left_;
      if (front) {
        piece.from_ns += step_ns;
      } else {
        piece.to_ns -= step_ns;
      }
      ASSIGN_OR_RETURN(const bool fails, Try(piece));
      shrunk = shrunk || fails;
      if (fails) continue;
      if (step_ns == period_ns_) break;
      step_ns = std::max(step_ns / 2, period_ns_);
    }
    return shrunk;
  }

  // All at once, or else one by one.
  absl::Status DropTopics() {
    Piece bare = left_;
    for (const std::string& topic : droppable_) bare.topics.erase(topic);
    if (droppable_.empty() || Spent()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool all, Try(bare));
    if (all || droppable_.size() == 1) return absl::OkStatus();
    for (const std::string& topic : droppable_) {
      if (Spent()) break;
      Piece without = left_;
      without.topics.erase(topic);
      RETURN_IF_ERROR(Try(without).status());
    }
    return absl::OkStatus();
  }

  // True when the gate fails the piece too; it is then what is left, and lies in the folder.
  absl::StatusOr<bool> Try(const Piece& piece) {
    if (piece.to_ns < piece.from_ns) return false;
    if (keep_ns_ && (piece.from_ns > *keep_ns_ || piece.to_ns < *keep_ns_)) return false;
    ++done_.trials;
    const std::string trial = base_ + ".trial";
    absl::StatusOr<bool> fails = TryIn(trial, piece);
    std::error_code ignored;
    fs::remove(trial, ignored);
    return fails;
  }

  absl::StatusOr<bool> TryIn(const std::string& trial, const Piece& piece) {
    const auto written = agent::recording::WriteClip({.sources = {request_.scenario.recording},
                                                      .from_ns = piece.from_ns,
                                                      .to_ns = piece.to_ns,
                                                      .destination = trial,
                                                      .topics = piece.topics,
                                                      .metadata = {Origin()}});
    if (absl::IsNotFound(written.status())) return false;  // an empty piece
    RETURN_IF_ERROR(written.status());
    v1::Scenario document = Document(piece);
    const absl::StatusOr<int64_t> first_ns = FirstTime(trial, document);
    if (!first_ns.ok()) return false;  // nothing of the robot is left in it
    const double from_s = static_cast<double>(*first_ns - first_ns_) * 1e-9;
    ASSIGN_OR_RETURN(const std::string text, Text(trial, piece, from_s, document));
    ASSIGN_OR_RETURN(Scenario clip, ParseScenario(text, base_ + ".yaml"));
    clip.recording = trial;
    ASSIGN_OR_RETURN(ClipVerdict verdict, judge_.Judge(clip));
    if (!verdict.fails()) return false;
    agent::base::OsFiles files;
    RETURN_IF_ERROR(files.Rename(trial, base_ + ".mcap"));
    RETURN_IF_ERROR(files.WriteDurably(base_ + ".yaml", text, 0644));
    Take(piece, from_s, std::move(verdict));
    return true;
  }

  void Take(const Piece& piece, double from_s, ClipVerdict verdict) {
    left_ = piece;
    done_.scenario = base_ + ".yaml";
    done_.recording = base_ + ".mcap";
    done_.from_s = from_s;
    done_.after_s = static_cast<double>(piece.span_ns()) * 1e-9;
    done_.dropped.clear();
    for (const std::string& topic : droppable_) {
      if (piece.topics.count(topic) == 0) done_.dropped.push_back(topic);
    }
    done_.result = std::move(verdict.result);
  }

  // The scenario's channels, as far as the piece has their topics.
  v1::Scenario Document(const Piece& piece) const {
    v1::Scenario document;
    for (const auto& [channel, topic] : request_.scenario.document.channels()) {
      if (piece.topics.count(topic) > 0) (*document.mutable_channels())[channel] = topic;
    }
    return document;
  }

  agent::recording::Metadata Origin() const {
    return {.name = "minimised",
            .values = {{"scenario", request_.scenario.document.id()},
                       {"recording_sha256", request_.scenario.document.sha256()},
                       {"unit", unit_.label()},
                       {"unit_sha256", unit_.digest().hex()},
                       {"gate", request_.gate},
                       {"suite", judge_.suite().document.id()},
                       {"suite_sha256", judge_.suite().sha256.hex()}}};
  }

  absl::StatusOr<std::string> Text(const std::string& recording, const Piece& piece, double from_s,
                                   const v1::Scenario& document) const {
    ASSIGN_OR_RETURN(const agent::base::Digest digest, agent::trust::Sha256File(recording));
    const std::string name = fs::path(base_).filename().string();
    std::string text = absl::StrFormat(
        "# From second %s of %s, cut as long as %s failed for %s.\n"
        "schema: scenario/1\nid: %s\nrecording: %s.mcap\nsha256: %s\n",
        SecondsText(Micros(from_s)), request_.scenario.document.id(), request_.gate, unit_.label(),
        name, name, digest.hex());
    // Until the millisecond behind the last message.
    const double length_s =
        (std::floor(static_cast<double>(piece.to_ns - first_ns_) * 1e-6) + 1) * 1e-3 - from_s;
    const auto segments = SegmentsWithin(request_.scenario.document, from_s, length_s);
    if (!segments.empty()) text += "segments:\n";
    for (const v1::Segment& segment : segments) text += SegmentLine(segment);
    const std::map<std::string, std::string> channels(document.channels().begin(),
                                                      document.channels().end());
    if (!channels.empty()) text += "channels:\n";
    for (const auto& [channel, topic] : channels)
      text += absl::StrFormat("  %s: \"%s\"\n", channel, absl::CEscape(topic));
    return text;
  }

  const bundle::UngatedUnit& unit_;
  const MinimiseRequest& request_;
  const ClipJudge& judge_;
  const std::string base_;  // of what is written
  int64_t first_ns_ = 0;    // second 0 of the scenario
  int64_t period_ns_ = 0;
  std::optional<int64_t> keep_ns_;
  Piece left_;
  std::vector<std::string> droppable_;
  Minimised done_;
};

}  // namespace

absl::StatusOr<Minimised> Minimise(const bundle::UngatedUnit& unit, const SuiteInput& input,
                                   const MinimiseRequest& request) {
  ASSIGN_OR_RETURN(const ClipJudge judge, ClipJudge::Create(unit, input, request.gate));
  return Shrinker(unit, request, judge).Run();
}

}  // namespace gatekeeper::gates
