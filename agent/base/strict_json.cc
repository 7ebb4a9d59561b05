#include "agent/base/strict_json.h"

#include <cstddef>
#include <set>
#include <vector>

#include "absl/strings/str_format.h"

namespace agent::base {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 32;

// Rejects while the parser runs, so that a hostile document is never built whole.
class Strictness {
 public:
  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth) return Refuse("is nested deeper than 32 levels");
    if (event == Json::parse_event_t::object_start) open_.emplace_back();
    if (event == Json::parse_event_t::object_end && !open_.empty()) open_.pop_back();
    if (event == Json::parse_event_t::key && !open_.empty() &&
        !open_.back().insert(parsed.get<std::string>()).second) {
      return Refuse("repeats the key '" + parsed.get<std::string>() + "'");
    }
    return true;
  }
  const std::string& refusal() const { return refusal_; }

 private:
  bool Refuse(const std::string& why) {
    if (refusal_.empty()) refusal_ = why;
    return true;  // the whole document is refused afterwards
  }
  std::vector<std::set<std::string>> open_;
  std::string refusal_;
};

// nlohmann's parser recurses into the stack only for destruction; still, count before parsing.
bool TooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// The parser quotes what it read last. Its text goes into events and answers, which are UTF-8.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

}  // namespace

absl::StatusOr<nlohmann::json> ParseStrictJson(std::string_view text, std::string_view what) {
  const std::string name(what);
  if (TooDeep(text)) {
    return absl::InvalidArgumentError(name + " is nested deeper than 32 levels");
  }
  Strictness strictness;
  Json value;
  try {
    value = Json::parse(text.begin(), text.end(),
                        [&](int depth, Json::parse_event_t event, Json& parsed) {
                          return strictness(depth, event, parsed);
                        });
  } catch (const Json::exception& e) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s is not JSON: %s", name, Printable(e.what())));
  }
  if (!strictness.refusal().empty()) {
    return absl::InvalidArgumentError(name + " " + strictness.refusal());
  }
  return value;
}

std::string CanonicalJson(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::strict);
}

}  // namespace agent::base
