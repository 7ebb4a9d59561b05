#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace agent::base {

// Where each value of a document stood in its file, so that a later check can say
// "policy.yaml:12:3".
class SourceMap {
 public:
  explicit SourceMap(std::string file) : file_(std::move(file)) {}
  // `path` as in "limits.nominal.vx_max_mps", "triggers[3].to", "inputs.scan.max_age_ms".
  void Note(const std::string& path, int line, int column) { at_[path] = {line, column}; }
  // "file:line:column" of `path`, or of its nearest ancestor that is written in the file.
  std::string Locate(std::string_view path) const;
  int Line(std::string_view path) const;  // 0 when unknown
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::map<std::string, std::pair<int, int>, std::less<>> at_;
};

// The one strict reader of what people write: YAML text into the message, through its descriptor.
// kInvalidArgument names file, line, column and what was wrong: unknown key (with the nearest known
// one), repeated key, a number without its unit in the key, wrong type, non-finite number, alias or
// tag. A message whose fields are all numbers may be written as a list: [x, y]. `schema` must equal
// `wanted_schema` (e.g. "control_policy/1").
absl::StatusOr<SourceMap> ReadYaml(std::string_view text, const std::string& file,
                                   std::string_view wanted_schema,
                                   google::protobuf::Message& message);

}  // namespace agent::base
