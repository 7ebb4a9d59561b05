#include <gtest/gtest.h>

#include "gatekeeper/ingest/field_plan.h"
#include "tests/support/status_matchers.h"

// ULog, whose formats are one line of text, and JSON, which is text throughout.

namespace {

using gatekeeper::ingest::CompilePlan;
using gatekeeper::ingest::FieldsOf;
using gatekeeper::ingest::FieldValue;
using gatekeeper::ingest::MessagePrinter;
using gatekeeper::ingest::Topic;
using testing::HasSubstr;

Topic Ulog(const std::string& formats) {
  return {.name = "power",
          .type = "power",
          .message_encoding = "ulog",
          .schema_encoding = "ulog",
          .schema = formats};
}

constexpr char kFormats[] =
    "power:uint64_t timestamp;float volts;bool on;uint8_t[3] _padding0;cell[2] cells;char[4] name;"
    "uint8_t[2] _padding1;\ncell:int16_t mv;uint8_t[2] _padding0;\n";

std::string PowerMessage() {
  std::string bytes("\x05\0\0\0\0\0\0\0", 8);
  bytes += std::string("\0\0\x40\x41", 4);          // 12.0
  bytes += std::string("\1zzz", 4);                 // on, padding
  bytes += std::string("\x10\x27zz\xf0\xd8zz", 8);  // 10000, -10000
  bytes += std::string("ab\0c", 4);
  return bytes;
}

TEST(UlogPlanTest, ReadsPackedFieldsAndHidesPadding) {
  const auto plan =
      CompilePlan(Ulog(kFormats), {"timestamp", "volts", "on", "cells[1].mv", "name"});
  ASSERT_OK(plan.status());
  std::vector<FieldValue> values;
  // The padding at the end is not written; writing it is no fault.
  for (const std::string& padding : {std::string(), std::string("zz")}) {
    const std::string message = PowerMessage() + padding;
    ASSERT_OK((*plan)->Read(message, values));
    EXPECT_EQ(values[0].integer, 5);
    EXPECT_EQ(values[1].number, 12.0);
    EXPECT_EQ(values[2].integer, 1);
    EXPECT_EQ(values[3].integer, -10'000);
    EXPECT_EQ(values[4].text, "ab");
    const auto printer = MessagePrinter::For(Ulog(kFormats));
    ASSERT_OK(printer.status());
    const auto json = printer->ToJson(message);
    ASSERT_OK(json.status());
    EXPECT_EQ(*json, R"({"timestamp":5,"volts":12,"on":true,"cells":[{"mv":10000},{"mv":-10000}],)"
                     R"("name":"ab"})");
  }
  EXPECT_EQ((*plan)->Read(PowerMessage() + "zzz", values).code(), absl::StatusCode::kDataLoss);
  for (size_t size = 0; size < PowerMessage().size(); ++size) {
    EXPECT_EQ((*plan)->Read(PowerMessage().substr(0, size), values).code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(UlogPlanTest, FormatsThatMakeNoSenseAreRefused) {
  const auto refused = [](const std::string& formats) {
    return std::string(FieldsOf(Ulog(formats)).status().message());
  };
  EXPECT_THAT(refused("power"), HasSubstr("without ':'"));
  EXPECT_THAT(refused("other:float x;"), HasSubstr("there is no ULog format 'power'"));
  EXPECT_THAT(refused("power:float;"), HasSubstr("wanted as 'type name'"));
  EXPECT_THAT(refused("power:float[0] x;"), HasSubstr("needs a size"));
  EXPECT_THAT(refused("power:float[2 x;"), HasSubstr("needs a size"));
  EXPECT_THAT(refused("power:quad x;"), HasSubstr("there is no type 'quad'"));
  EXPECT_THAT(refused("power:power x;"), HasSubstr("contains itself"));
  EXPECT_THAT(refused("power:cell[9] x;\ncell:"), HasSubstr("which has no bytes"));
  EXPECT_THAT(refused("power:float x;\npower:float x;"), HasSubstr("two ULog formats"));
}

Topic Json(const std::string& schema) {
  return {.name = "/t",
          .type = "T",
          .message_encoding = "json",
          .schema_encoding = schema.empty() ? "" : "jsonschema",
          .schema = schema};
}

TEST(JsonPlanTest, WalksPathsAndKeepsTexts) {
  const auto plan = CompilePlan(
      Json(""), {"a.b[1].c", "text", "list", "stamp", "flag", "absent.x", "a", "a.b[7].c", "big"});
  ASSERT_OK(plan.status());
  std::vector<FieldValue> values;
  ASSERT_OK((*plan)->Read(
      R"({"a":{"b":[0,{"c":-2.5}]},"text":"\u00e9\n","list":[1,2.5,true],"flag":true,)"
      R"("stamp":{"sec":3,"nsec":4},"big":9007199254740993})",
      values));
  EXPECT_EQ(values[0].number, -2.5);
  EXPECT_EQ(values[1].text, "\xc3\xa9\n");
  EXPECT_EQ(values[2].numbers, (std::vector<double>{1, 2.5, 1}));
  EXPECT_EQ(values[3].integer, 3'000'000'004);
  EXPECT_EQ(values[4].integer, 1);
  EXPECT_FALSE(values[5].present);
  EXPECT_FALSE(values[6].present) << "an object is no value";
  EXPECT_FALSE(values[7].present);
  EXPECT_EQ(values[8].integer, 9'007'199'254'740'993);
  EXPECT_EQ((*plan)->Read(R"({"a":)", values).code(), absl::StatusCode::kDataLoss);
}

TEST(JsonPlanTest, TheSchemaSaysWhichPathsThereAre) {
  const Topic topic =
      Json(R"({"type":"object","properties":{"pose":{"type":"object","properties":{"x":{"type":)"
           R"("number"}}},"free":{"type":"object"}}})");
  EXPECT_OK(CompilePlan(topic, {"pose.x", "free.anything"}).status());
  EXPECT_THAT(std::string(CompilePlan(topic, {"pose.y_m"}).status().message()),
              HasSubstr("it has x"));
  const auto fields = FieldsOf(topic);
  ASSERT_OK(fields.status());
  ASSERT_EQ(fields->size(), 3u);
  EXPECT_EQ((*fields)[2].path, "pose.x");
  EXPECT_EQ((*fields)[2].type, "number");
}

}  // namespace
