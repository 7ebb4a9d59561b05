#include "tests/journeys/script.h"

#include <sstream>
#include <utility>

#include "absl/strings/str_format.h"

namespace tests::journeys {
namespace {

constexpr char kRule[] = "----";

void Append(std::string& text, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) text += line + "\n";
}

}  // namespace

absl::StatusOr<Script> ParseScript(const std::string& text) {
  enum class In { kComments, kCommands, kPrinted } in = In::kComments;
  Script script;
  Block block;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const bool comment = line.empty() || line.starts_with('#');
    if (in == In::kPrinted) {
      if (!line.empty()) {
        block.printed.push_back(line);
        continue;
      }
      script.blocks.push_back(std::exchange(block, {}));
      in = In::kComments;
    } else if (line == kRule) {
      if (in != In::kCommands) {
        return absl::InvalidArgumentError(
            absl::StrFormat("line %d: no command above '%s'", number, kRule));
      }
      in = In::kPrinted;
    } else if (in == In::kCommands && comment) {
      return absl::InvalidArgumentError(
          absl::StrFormat("line %d: '%s' is missing below a command", number, kRule));
    } else if (comment) {
      block.comments.push_back(line);
    } else {
      block.commands.push_back(line);
      in = In::kCommands;
    }
  }
  if (in == In::kCommands) return absl::InvalidArgumentError("the last command has no ----");
  if (in == In::kPrinted) script.blocks.push_back(std::exchange(block, {}));
  script.epilogue = std::move(block.comments);
  return script;
}

std::string ToText(const Script& script) {
  std::string text;
  for (const Block& block : script.blocks) {
    Append(text, block.comments);
    Append(text, block.commands);
    text += std::string(kRule) + "\n";
    Append(text, block.printed);
    text += "\n";
  }
  Append(text, script.epilogue);
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace tests::journeys
