#include "gatekeeper/ingest/field_path.h"
#include "tests/fuzz/target.h"

// Field paths of an import map.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 16'384, .per_input_byte = 64};

std::vector<std::string> fuzz::Seeds() {
  return {"twist.twist.linear.x", "ranges[3]", "transforms[0].child_frame_id",
          "a[4294967295].b[0]"};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view path = fuzz::Text(data, size);
  const auto parts = gatekeeper::ingest::ParsePath(path);
  if (!parts.ok()) {
    fuzz::Check(parts.status().code() == absl::StatusCode::kInvalidArgument,
                "not the writer's fault");
    return 0;
  }
  std::string again;
  for (const gatekeeper::ingest::PathPart& part : *parts) {
    fuzz::Check(!part.name.empty(), "a part without a name");
    if (!again.empty()) again += '.';
    again += part.name;
    if (part.index) again += "[" + std::to_string(*part.index) + "]";
  }
  // Leading zeros of an index aside, a path is what its parts say.
  fuzz::Check(again.size() <= path.size(), "more than was written");
  const auto same = gatekeeper::ingest::ParsePath(again);
  fuzz::Check(same.ok() && same->size() == parts->size(), "what was read cannot be read again");
  return 0;
}
