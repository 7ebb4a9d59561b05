#include <charconv>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "tests/journeys/interpreter.h"

namespace tests::journeys {
namespace {

// Words between spaces; quotes hold a word together and are taken off.
absl::StatusOr<std::vector<std::string>> SplitWords(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      if (!word.empty()) words.push_back(std::exchange(word, ""));
    } else {
      word += c;
    }
  }
  if (quoted) return absl::InvalidArgumentError("a quote is left open: " + line);
  if (!word.empty()) words.push_back(word);
  return words;
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommand(const std::string& line) {
  ASSIGN_OR_RETURN(const std::vector<std::string> words, SplitWords(line));
  if (words.empty()) return absl::InvalidArgumentError("an empty command");
  CommandLine command{.verb = words.front(), .words = {}, .settings = {}};
  for (size_t i = 1; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    if (equals == std::string::npos) {
      command.words.push_back(words[i]);
    } else {
      command.settings[words[i].substr(0, equals)] = words[i].substr(equals + 1);
    }
  }
  return command;
}

absl::StatusOr<Nanos> ParseDuration(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  if (error == std::errc() && number > 0) {
    if (unit == "ms") return std::chrono::milliseconds(number);
    if (unit == "s") return std::chrono::seconds(number);
    if (unit == "d") return std::chrono::hours(24 * number);
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("'%s' is no duration: wanted 300ms, 10s or 7d", text));
}

}  // namespace tests::journeys
