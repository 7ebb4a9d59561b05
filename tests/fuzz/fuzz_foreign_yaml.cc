#include "agent/base/foreign_yaml.h"
#include "tests/fuzz/target.h"

// YAML of other programs: metadata of bags, maps.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 262'144, .per_input_byte = 2'048};

std::vector<std::string> fuzz::Seeds() {
  return {
      "rosbag2_bagfile_information:\n  version: 5\n  relative_file_paths:\n    - a_0.mcap\n"
      "  topics_with_message_count:\n    - topic_metadata: {name: /scan, type: x}\n"
      "      message_count: 12\n",
      "{a: [1, ~, 'b'], \"c\": {d: }}\n", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tree = agent::base::ReadForeignYaml(fuzz::Text(data, size), "file.yaml");
  if (tree.ok()) {
    // JSON is YAML too: what was understood can be said again.
    const fuzz::Unmeasured saying;
    fuzz::Check(tree->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).size() > 0,
                "nothing was understood");
    return 0;
  }
  fuzz::Check(tree.status().code() == absl::StatusCode::kInvalidArgument ||
                  tree.status().code() == absl::StatusCode::kResourceExhausted,
              "not the writer's fault");
  fuzz::Check(tree.status().message().substr(0, 9) == "file.yaml", "an error without its place");
  return 0;
}
