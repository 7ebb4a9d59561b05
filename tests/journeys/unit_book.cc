#include "tests/journeys/unit_book.h"

#include <utility>

#include "agent/trust/hash.h"

namespace tests::journeys {
namespace {

constexpr size_t kShortest = 12;  // digits of a digest as it is cut for people

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

UnitBook::UnitBook() : names_(TestKeyNames()) {}

void UnitBook::Add(SealedUnit unit, Sealing sealing) {
  if (sealing == Sealing::kSound) sound_.insert(unit.digest);
  const std::string title = unit.title();
  names_[unit.digest] = title;
  for (const auto& [path, bytes] : unit.files) {
    names_.try_emplace(agent::trust::Sha256(bytes).hex(), "(" + path + " of " + title + ")");
  }
  units_[title] = std::move(unit);
}

const SealedUnit* UnitBook::Find(const std::string& title) const {
  const auto found = units_.find(title);
  return found == units_.end() ? nullptr : &found->second;
}

std::string UnitBook::TitleOf(const std::string& digest) const {
  if (digest.empty()) return "rules";
  const auto found = names_.find(digest);
  return found == names_.end() ? "#" : found->second;
}

std::string UnitBook::Named(const std::string& text) const {
  std::string named;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && IsHex(text[end])) ++end;
    if (end - at < kShortest) {
      end = std::max(end, at + 1);
      named += text.substr(at, end - at);
    } else {
      const std::string hex = text.substr(at, end - at);
      const auto found = names_.lower_bound(hex);
      const bool known = found != names_.end() && found->first.starts_with(hex);
      named += known ? found->second : "#";
    }
    at = end;
  }
  return named;
}

}  // namespace tests::journeys
