#include <cmath>

#include "gatekeeper/ingest/field_plan.h"
#include "tests/fuzz/target.h"

// Messages as bytes: CDR of either order and ROS 1 of types with arrays, strings and messages
// inside each other. A plan and the whole message as JSON must agree on what is a message.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 40'000, .per_input_byte = 64};

namespace {

using gatekeeper::ingest::FieldValue;

gatekeeper::ingest::Topic TopicOf(const char* message, const char* schema) {
  return {.name = "/t",
          .type = "t/T",
          .message_encoding = message,
          .schema_encoding = schema,
          .schema =
              "uint8 a\nfloat64[] numbers\nstring[] names\nInner[] inner\nInner[2] two\n"
              "string<=5 short\nbool[<=3] flags\nuint16[3] fixed\n"
              "===\nMSG: t/Inner\nuint8 n\nint64 big\nstring text\nDeep[] deep\n"
              "===\nMSG: t/Deep\nfloat32 f\nuint8[] bytes\n"};
}

template <class T>
T Must(absl::StatusOr<T> made) {
  fuzz::Check(made.ok(), "the definition is refused");
  return *std::move(made);
}

void Try(const gatekeeper::ingest::FieldPlan& plan,
         const gatekeeper::ingest::MessagePrinter& printer, std::string_view message) {
  std::vector<FieldValue> values;
  const bool read = plan.Read(message, values).ok();
  const bool printed = printer.ToJson(message).ok();
  fuzz::Check(read == printed, "a plan and the whole message disagree on what a message is");
  if (!read) return;
  for (const FieldValue& value : values) {
    fuzz::Check(value.numbers.size() <= message.size() && value.texts.size() <= message.size(),
                "more values than bytes");
    fuzz::Check(value.text.empty() ||
                    (value.text.data() >= message.data() &&
                     value.text.data() + value.text.size() <= message.data() + message.size()),
                "a text that is not in the message");
  }
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  const std::string header("\0\1\0\0", 4);
  const std::string inner("\7\0\0\0\0\0\0\0\1\2\3\4\5\6\7\0\3\0\0\0ab\0\0\0\0\0\0", 28);
  std::vector<std::string> seeds = {header + std::string(64, '\0'), std::string(96, '\0'),
                                    std::string(100, '\0')};
  seeds.push_back(header + std::string("\1\0\0\0\2\0\0\0", 8) + std::string(16, '?') +
                  std::string("\1\0\0\0\2\0\0\0x\0\0\0\0\0\0\0", 16) + inner + inner +
                  std::string("\1\0\0\0\0\0\0\0\2\0\0\0\1\0\0\0\2\0\3\0", 20));
  for (const char* name : {"rosbag2/cdr_test_0.mcap", "rosbag2/talker.mcap"}) {
    std::string bytes = RecordingBytes(name, 4 << 10);
    if (!bytes.empty()) seeds.push_back(std::move(bytes));
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::string> kPaths = {"a",
                                                  "numbers",
                                                  "numbers[1]",
                                                  "names",
                                                  "names[0]",
                                                  "inner[1].big",
                                                  "inner[0].deep[0].bytes",
                                                  "two[1].text",
                                                  "short",
                                                  "flags",
                                                  "fixed[2]"};
  for (const auto& [message, schema] :
       {std::pair{"cdr", "ros2msg"}, std::pair{"ros1", "ros1msg"}}) {
    const auto topic = TopicOf(message, schema);
    const auto plan = Must(gatekeeper::ingest::CompilePlan(topic, kPaths));
    const auto printer = Must(gatekeeper::ingest::MessagePrinter::For(topic));
    Try(*plan, printer, fuzz::Text(data, size));
  }
  return 0;
}
