#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tests::journeys {

// A journey as a text file, after the tests of raft (etcd-io/raft testdata):
//
//   # Comments tell the story.
//   <one command line, see interpreter.h>
//   ----
//   <what it printed>
//                      <- an empty line ends the block
//
// Several command lines may stand above one ----; what they print is joined.
struct Block {
  std::vector<std::string> comments;  // lines above the commands, empty ones among them
  std::vector<std::string> commands;
  std::vector<std::string> printed;
};

struct Script {
  std::vector<Block> blocks;
  std::vector<std::string> epilogue;  // comments after the last block
};

// kInvalidArgument names the line.
absl::StatusOr<Script> ParseScript(const std::string& text);
std::string ToText(const Script& script);

}  // namespace tests::journeys
