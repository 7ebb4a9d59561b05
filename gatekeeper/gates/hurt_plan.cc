#include "gatekeeper/gates/hurt_plan.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/trust/hash.h"
#include "gatekeeper/faults/catalogue.h"
#include "gatekeeper/faults/corruption.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/log_time.h"

namespace gatekeeper::gates {
namespace {

using agent::base::Digest;
using agent::base::Nanos;
using agent::runtime::UnitRules;

// What a start changes beyond the policy's own transition: inputs that come one after the other.
constexpr Nanos kStart = std::chrono::seconds(2);
// What is watched beyond the last limit: messages that a fault delayed arrive by then.
constexpr int64_t kWatchOn_ns = 1'000'000'000;

const std::string& RecordingSha(const Replay& replay) { return replay.scenario->document.sha256(); }

std::vector<const faults::Entry*> WantedFaults(const v1::FaultMatrixGate& gate) {
  std::vector<const faults::Entry*> entries;
  for (const faults::Entry& entry : faults::Catalogue()) {
    const auto& ids = gate.faults();
    if (ids.empty() || std::find(ids.begin(), ids.end(), entry.id) != ids.end())
      entries.push_back(&entry);
  }
  return entries;
}

// The required channels that a fault can hurt in this recording; one empty name for faults that
// hurt no channel.
std::vector<std::string> ChannelsFor(const faults::Entry& entry, const UnitRules& rules,
                                     const Replay& replay) {
  if (entry.hurts != faults::Hurts::kChannel) return {""};
  std::vector<std::string> channels;
  for (const agent::runtime::InputLimits& input : rules.policy.inputs()) {
    const bool fits = entry.fits == nullptr || entry.fits(input.channel);
    if (input.required && fits && replay.channels.count(input.channel) > 0)
      channels.push_back(input.channel);
  }
  return channels;
}

// One fault's cells in one recording.
struct Place {
  size_t scenario = 0;
  int64_t onset_ns = 0;
  int64_t from_ns = 0;
};

PlannedFault PlannedAt(const std::string& id, const std::string& channel, const Place& place,
                       double duration_s, const v1::GateSuite& suite, const Replay& replay) {
  const v1::FaultMatrixGate& gate = suite.fault_matrix();
  PlannedFault planned;
  planned.id = channel.empty() ? id : id + ":" + channel;
  planned.scenario = place.scenario;
  Fault& fault = planned.fault;
  fault.kind = Fault::Kind::kCatalogue;
  fault.onset_ns = place.onset_ns;
  fault.from_ns = place.from_ns;
  const int64_t end = place.onset_ns + Nanoseconds(duration_s * 1e3);
  fault.until_ns =
      end + Nanoseconds(std::max(gate.detect_within_ms(), gate.safe_within_ms())) + kWatchOn_ns;
  fault.spec = {.id = id == kControlDrive ? "" : id,
                .channel = channel,
                .onset_ns = place.onset_ns,
                .end_ns = end,
                .seed = faults::SeedFor(suite.seed(), RecordingSha(replay), id)};
  return planned;
}

std::vector<Place> Places(const Replay& replay, size_t scenario, const UnitRules& rules,
                          const v1::FaultMatrixGate& gate) {
  std::vector<Place> places;
  const Nanos calm = CalmBefore(rules.policy);
  for (const double share : gate.onsets()) {
    const auto onset = CalmOnset(replay, share, rules.fallback.states()[0].name, calm);
    if (!onset.has_value()) continue;
    const bool known = std::any_of(places.begin(), places.end(),
                                   [&](const Place& place) { return place.onset_ns == *onset; });
    const int64_t from = *onset - calm.count();
    if (!known) places.push_back({scenario, *onset, std::max<int64_t>(0, from)});
  }
  return places;
}

}  // namespace

Nanos CalmBefore(const agent::runtime::Policy& policy) { return policy.transition_for() + kStart; }

std::optional<int64_t> CalmOnset(const Replay& replay, double share, const std::string& nominal,
                                 Nanos calm) {
  const double length = static_cast<double>(replay.last_ns - replay.first_ns);
  const int64_t earliest = replay.first_ns + static_cast<int64_t>(std::llround(length * share));
  int64_t calm_since = INT64_MAX;
  for (const v1::TickRecord& tick : replay.ticks) {
    const bool calm_now = tick.state() == nominal && tick.triggers_size() == 0;
    if (!calm_now) {
      calm_since = INT64_MAX;
      continue;
    }
    calm_since = std::min(calm_since, tick.now_ns());
    if (tick.now_ns() < earliest || tick.raw_size() == 0) continue;
    if (tick.now_ns() - calm_since >= calm.count()) return tick.now_ns();
  }
  return std::nullopt;
}

std::vector<size_t> DrawClips(const std::vector<Replay>& replays, const v1::GateSuite& suite,
                              const std::string& gate, uint32_t clips, const Usable& usable) {
  std::vector<std::pair<Digest, size_t>> order;
  for (size_t i = 0; i < replays.size(); ++i) {
    if (!replays[i].status.ok() || replays[i].ticks.empty() || !usable(replays[i])) continue;
    order.emplace_back(agent::trust::Sha256(absl::StrFormat("%d/%s/%s", suite.seed(), gate,
                                                            RecordingSha(replays[i]))),
                       i);
  }
  std::sort(order.begin(), order.end());
  std::map<std::string, size_t> drawn;            // by recording
  std::vector<std::pair<size_t, size_t>> rounds;  // which clip of its recording, and its index
  for (const auto& [draw, index] : order)
    rounds.emplace_back(drawn[RecordingOf(replays[index])]++, index);
  std::stable_sort(rounds.begin(), rounds.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  rounds.resize(std::min<size_t>(rounds.size(), clips));
  std::vector<size_t> chosen;
  for (const auto& [round, index] : rounds) chosen.push_back(index);
  return chosen;
}

bool AnyClip(const Replay&) { return true; }

std::vector<PlannedFault> PlanFaultMatrix(const std::vector<Replay>& replays,
                                          const UnitRules& rules, const v1::GateSuite& suite) {
  const v1::FaultMatrixGate& gate = suite.fault_matrix();
  const Usable has_places = [&](const Replay& replay) {
    return !Places(replay, 0, rules, gate).empty();
  };
  std::vector<PlannedFault> plan;
  for (const size_t index : DrawClips(replays, suite, "fault_matrix", gate.clips(), has_places)) {
    const Replay& replay = replays[index];
    const std::vector<Place> places = Places(replay, index, rules, gate);
    const double longest_s =
        *std::max_element(gate.durations_s().begin(), gate.durations_s().end());
    for (const Place& place : places)
      plan.push_back(PlannedAt(kControlDrive, "", place, longest_s, suite, replay));
    for (const faults::Entry* entry : WantedFaults(gate)) {
      const std::vector<std::string> channels = ChannelsFor(*entry, rules, replay);
      if (channels.empty()) continue;
      // So that few onsets and durations reach every channel over the clips. Drawn and not counted:
      // a part of the library must plan for its clips what the whole library plans.
      size_t turn =
          faults::SeedFor(suite.seed(), RecordingSha(replay), entry->id) % channels.size();
      for (const Place& place : places) {
        for (const double duration_s : gate.durations_s()) {
          plan.push_back(PlannedAt(entry->id, channels[turn++ % channels.size()], place, duration_s,
                                   suite, replay));
        }
      }
    }
  }
  return plan;
}

std::vector<PlannedFault> PlanCorruptions(const std::vector<Replay>& replays,
                                          const UnitRules& rules, const v1::GateSuite& suite) {
  const v1::CorruptionGate& gate = suite.corruption();
  const auto& ids = gate.corruptions();
  std::vector<PlannedFault> plan;
  for (const size_t index : DrawClips(replays, suite, "corruption", gate.clips(), AnyClip)) {
    for (const faults::Corruption& corruption : faults::Corruptions()) {
      if (!ids.empty() && std::find(ids.begin(), ids.end(), corruption.id) == ids.end()) continue;
      const auto* const input = rules.policy.FindInput(corruption.channel);
      if (input == nullptr || !input->required) continue;
      for (int severity = 1; severity <= faults::kSeverities; ++severity) {
        PlannedFault planned;
        planned.id = absl::StrFormat("%s/%d", corruption.id, severity);
        planned.scenario = index;
        planned.fault.kind = Fault::Kind::kOpenLoop;
        planned.fault.spec = {
            .id = corruption.id,
            .channel = corruption.channel,
            .onset_ns = 0,
            .end_ns = INT64_MAX,
            .seed = faults::SeedFor(suite.seed(), RecordingSha(replays[index]), corruption.id),
            .severity = severity};
        plan.push_back(std::move(planned));
      }
    }
  }
  return plan;
}

}  // namespace gatekeeper::gates
