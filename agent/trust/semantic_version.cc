#include "agent/trust/semantic_version.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace agent::trust {
namespace {

constexpr size_t kMaxBytes = 64;

// Takes the longest run of such characters off the front; false when there is none.
template <class Kind>
bool TakeRun(std::string_view& text, Kind kind) {
  const auto end = std::find_if_not(text.begin(), text.end(), kind);
  const bool any = end != text.begin();
  text.remove_prefix(static_cast<size_t>(end - text.begin()));
  return any;
}

bool Take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

bool TakeNumber(std::string_view& text) {
  const bool zero = !text.empty() && text.front() == '0';
  const std::string_view before = text;
  return TakeRun(text, [](unsigned char c) { return absl::ascii_isdigit(c); }) &&
         (!zero || before.size() - text.size() == 1);
}

// Words of letters, digits and '-', with dots between them.
bool TakeWords(std::string_view& text) {
  do {
    if (!TakeRun(text, [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-'; })) {
      return false;
    }
  } while (Take(text, '.'));
  return true;
}

}  // namespace

bool IsSemanticVersion(std::string_view version) {
  if (version.size() > kMaxBytes) return false;
  const bool core = TakeNumber(version) && Take(version, '.') && TakeNumber(version) &&
                    Take(version, '.') && TakeNumber(version);
  if (!core) return false;
  if (Take(version, '-') && !TakeWords(version)) return false;
  if (Take(version, '+') && !TakeWords(version)) return false;
  return version.empty();
}

}  // namespace agent::trust
