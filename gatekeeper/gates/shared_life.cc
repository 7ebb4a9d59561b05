#include "gatekeeper/gates/shared_life.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

namespace gatekeeper::gates {
namespace {

// A second of a robot that is commanded at 20 Hz. Two drives may begin alike in a simulator; none
// goes on alike to the last bit.
constexpr size_t kLeastShared = 20;

// One command that differs from the one before it: a robot that stands repeats itself.
struct CommandChange {
  uint64_t mark = 0;  // of log time and values
  int64_t at_ns = 0;
};

uint64_t Mixed(uint64_t mark, uint64_t value) {
  mark = (mark ^ value) * 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio
  return mark ^ (mark >> 32);
}

std::vector<CommandChange> ChangesOf(const Replay& replay) {
  std::vector<CommandChange> changes;
  for (size_t i = 1; i < replay.commands.size(); ++i) {
    const RecordedCommand& command = replay.commands[i];
    if (command.values == replay.commands[i - 1].values) continue;
    uint64_t mark = Mixed(0, static_cast<uint64_t>(command.at_ns));
    for (const double value : command.values) mark = Mixed(mark, std::bit_cast<uint64_t>(value));
    changes.push_back({mark, command.at_ns});
  }
  return changes;
}

struct Overlap {
  size_t commands = 0;
  int64_t from_ns = 0;
  int64_t to_ns = 0;
};

// The earliest clip that has enough of these commands too. `owners`: by mark, whose it was first.
std::optional<SharedLife> Repeated(const std::vector<CommandChange>& changes, size_t clip,
                                   std::unordered_map<uint64_t, size_t>& owners) {
  std::map<size_t, Overlap> overlaps;  // by the other clip
  for (const CommandChange& change : changes) {
    const auto [owner, is_new] = owners.try_emplace(change.mark, clip);
    if (is_new || owner->second == clip) continue;
    Overlap& overlap = overlaps[owner->second];
    if (overlap.commands++ == 0) overlap.from_ns = change.at_ns;
    overlap.to_ns = change.at_ns;
  }
  for (const auto& [other, overlap] : overlaps) {
    if (overlap.commands < kLeastShared) continue;
    return SharedLife{.first = other,
                      .second = clip,
                      .same_recording = false,
                      .from_ns = overlap.from_ns,
                      .to_ns = overlap.to_ns};
  }
  return std::nullopt;
}

}  // namespace

std::vector<SharedLife> FindSharedLife(const std::vector<Replay>& replays) {
  std::vector<SharedLife> shared;
  std::map<std::string, size_t> by_digest;
  std::unordered_map<uint64_t, size_t> owners;
  for (size_t i = 0; i < replays.size(); ++i) {
    const std::string& digest = replays[i].scenario->document.sha256();
    if (!digest.empty()) {
      const auto [holder, is_new] = by_digest.try_emplace(digest, i);
      if (!is_new) {
        shared.push_back({.first = holder->second,
                          .second = i,
                          .same_recording = true,
                          .from_ns = replays[i].first_ns,
                          .to_ns = replays[i].last_ns});
        continue;
      }
    }
    const auto repeated = Repeated(ChangesOf(replays[i]), i, owners);
    if (repeated) shared.push_back(*repeated);
  }
  return shared;
}

}  // namespace gatekeeper::gates
