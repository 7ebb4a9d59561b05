#include "agent/control/unit_shelf.h"

#include <algorithm>
#include <utility>

namespace agent::control {
namespace {

using base::Nanos;

// Half a second, because a worker is warm again in less; 10 s, because a trust.json or a repaired
// slot that appears should be noticed while the person who put it there still looks.
constexpr Nanos kFirstBackOff = std::chrono::milliseconds(500);
constexpr Nanos kLongestBackOff = std::chrono::seconds(10);
// A model that ran this long and then died is not in a crash loop.
constexpr Nanos kRanWell = std::chrono::minutes(1);

Nanos BackOff(uint32_t failures) {
  const uint32_t doublings = std::min(failures > 0 ? failures - 1 : 0, 5U);
  return std::min(kFirstBackOff * (1 << doublings), kLongestBackOff);
}

}  // namespace

void UnitShelf::Want(const std::string& digest, Retry retry, Nanos now) {
  const auto [at, added] = units_.try_emplace(digest);
  Unit& unit = at->second;
  if (added) Request(digest, unit);
  // Becoming what the pointer names makes a failed unit worth another try.
  if (retry == Retry::kUntilGone && unit.retry == Retry::kNever) unit.retry_at = now;
  unit.retry = retry;
}

void UnitShelf::Request(const std::string& digest, Unit& unit) {
  unit.ticket = source_.Request(digest, slots_ + "/" + digest);
  unit.given_up = false;
  unit.urgency = Urgency::kBeside;
}

void UnitShelf::SetDriving(std::initializer_list<const std::string*> digests) {
  for (auto& [digest, unit] : units_) {
    const bool drives = std::ranges::any_of(
        digests, [&digest = digest](const std::string* driving) { return *driving == digest; });
    const Urgency urgency = drives ? Urgency::kDriving : Urgency::kBeside;
    if (unit.state != State::kReady || unit.urgency == urgency) continue;
    unit.urgency = urgency;
    source_.SetUrgency(unit.ticket, urgency);
  }
}

void UnitShelf::KeepOnly(std::initializer_list<const std::string*> digests) {
  std::erase_if(units_, [&](const auto& entry) {
    return std::ranges::none_of(digests,
                                [&](const auto* digest) { return *digest == entry.first; });
  });
}

UnitShelf::State UnitShelf::state(const std::string& digest) const {
  const auto at = units_.find(digest);
  return at == units_.end() ? State::kAbsent : at->second.state;
}

absl::Status UnitShelf::reason(const std::string& digest) const {
  const auto at = units_.find(digest);
  return at == units_.end() ? absl::OkStatus() : at->second.reason;
}

std::shared_ptr<const Crew> UnitShelf::crew(const std::string& digest) const {
  const auto at = units_.find(digest);
  return at == units_.end() ? nullptr : at->second.crew;
}

std::optional<UnitShelf::Change> UnitShelf::Poll(Nanos now) {
  while (std::optional<SourceNews> news = source_.Poll()) {
    const auto at = std::ranges::find_if(
        units_, [&](const auto& entry) { return entry.second.ticket == news->ticket; });
    // Not wanted any more: a unit that comes now is let go of here.
    if (at != units_.end()) return TakeIn(at->first, at->second, *std::move(news), now);
  }
  for (auto& [digest, unit] : units_) {
    const bool down = unit.state == State::kLost || unit.state == State::kFailed;
    const bool waiting = unit.ticket == 0;
    if (down && waiting && unit.retry == Retry::kUntilGone && now >= unit.retry_at) {
      Request(digest, unit);
    }
  }
  return std::nullopt;
}

UnitShelf::Change UnitShelf::TakeIn(const std::string& digest, Unit& unit, SourceNews news,
                                    Nanos now) {
  if (news.crew) {
    unit.crew = std::move(news.crew);
    unit.state = State::kReady;
    unit.ready_at = now;
    unit.reason = absl::OkStatus();
    return {digest, State::kReady, {}, std::move(news.note)};
  }
  const bool ran = unit.state == State::kReady;
  if (ran && now - unit.ready_at >= kRanWell) unit.failures = 0;
  ++unit.failures;
  if (ran) unit.crew = WithoutModel(*unit.crew);
  unit.state = ran ? State::kLost : State::kFailed;
  unit.reason = std::move(news.reason);
  unit.ticket = 0;
  unit.retry_at = now + BackOff(unit.failures);
  return {digest, unit.state, unit.reason};
}

void UnitShelf::GiveUpOn(const std::string& digest) {
  const auto at = units_.find(digest);
  if (at == units_.end() || at->second.state != State::kReady || at->second.given_up) return;
  at->second.given_up = true;
  source_.Kill(at->second.ticket);
}

}  // namespace agent::control
