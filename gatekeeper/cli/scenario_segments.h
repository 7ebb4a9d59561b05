#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/gates.pb.h"

namespace gatekeeper::cli {

// A range of seconds since the recording's first message (from included, to not), and what is
// said, or no longer said, about it.
struct Label {
  double from_s = 0;
  double to_s = 0;
  std::vector<std::string> tags;
};

// The segments with one more. kAlreadyExists: one of the tags stands for a part of the range
// already.
absl::StatusOr<std::vector<v1::Segment>> WithLabel(const v1::Scenario& scenario,
                                                   const Label& label);

// The segments without these tags in this range: what reaches beyond it is cut, what has no tag
// left is gone. kNotFound: a tag stands for no part of the range.
absl::StatusOr<std::vector<v1::Segment>> WithoutLabel(const v1::Scenario& scenario,
                                                      const Label& label);

// `text`, the scenario/1 document in `file`, with these segments. What stands outside its list of
// segments stays byte for byte; so does the list itself, comments included, where segments are only
// appended to a list of one line each. kInvalidArgument: it could not be written so that it reads
// back as wanted.
absl::StatusOr<std::string> WithSegments(const std::string& text, const std::string& file,
                                         const std::vector<v1::Segment>& segments);

}  // namespace gatekeeper::cli
