#include "gatekeeper/ingest/field_plan.h"
#include "tests/fuzz/target.h"

// Definitions as text: ros2msg, ros1msg and ULog formats. What is taken can be listed, and every
// field that is listed can be asked for or is refused in words.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 200'000, .per_input_byte = 1'024};

namespace {

void Try(const char* message, const char* schema, std::string_view text) {
  const gatekeeper::ingest::Topic topic{.name = "/t",
                                        .type = "t/T",
                                        .message_encoding = message,
                                        .schema_encoding = schema,
                                        .schema = std::string(text)};
  const auto fields = gatekeeper::ingest::FieldsOf(topic);
  if (!fields.ok()) {
    fuzz::Check(!fields.status().message().empty(), "refused without a word");
    return;
  }
  std::vector<gatekeeper::ingest::FieldValue> values;
  for (size_t i = 0; i < fields->size() && i < 16; ++i) {
    std::string path = (*fields)[i].path;
    for (size_t at = path.find("[]"); at != path.npos; at = path.find("[]", at)) {
      path.replace(at, 2, "[0]");
    }
    const auto plan = gatekeeper::ingest::CompilePlan(topic, {path});
    if (plan.ok()) (*plan)->Read(text, values).IgnoreError();
  }
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  return {
      "int32 a\nfloat64[] b\nstring<=3[<=2] c\nuint8 X=1\n# words\nInner[4] i\nHeader header\n"
      "================\nMSG: t/Inner\nint64[3] n\ntime t\nDeep d\n===\nMSG: t/Deep\nbool x true\n",
      "geometry_msgs/Twist twist\nsensor_msgs/msg/LaserScan scan\n",
      "A a\nA b\n===\nMSG: t/A\nB a\nB b\n===\nMSG: t/B\nC a\nC b\n===\nMSG: t/C\nint8 x\n",
      "t/T:uint64_t timestamp;float[3] x;cell[2] c;uint8_t[4] _padding0;\ncell:int16_t v;\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Try("cdr", "ros2msg", fuzz::Text(data, size));
  Try("ros1", "ros1msg", fuzz::Text(data, size));
  Try("ulog", "ulog", fuzz::Text(data, size));
  return 0;
}
