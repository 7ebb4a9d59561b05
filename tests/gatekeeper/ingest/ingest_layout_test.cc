#include <gtest/gtest.h>

#include <cstring>

#include "gatekeeper/ingest/field_plan.h"
#include "nlohmann/json.hpp"
#include "tests/gatekeeper/ingest/random_message.h"
#include "tests/support/cases.h"
#include "tests/support/status_matchers.h"

// How CDR and ROS 1 lay messages out: random definitions and messages, written by an encoder of the
// test's own.

namespace {

using gatekeeper::ingest::CompilePlan;
using gatekeeper::ingest::FieldPlan;
using gatekeeper::ingest::FieldValue;
using gatekeeper::ingest::MessagePrinter;
using gatekeeper::ingest::Topic;
using tests::Expected;
using tests::Layout;
using tests::RandomMessage;

constexpr Layout kLayouts[] = {Layout::kCdrLittle, Layout::kCdrBig, Layout::kRos1};

std::unique_ptr<FieldPlan> PlanFor(const RandomMessage& message) {
  std::vector<std::string> paths;
  for (const Expected& expected : message.expected()) paths.push_back(expected.path);
  auto plan = CompilePlan(message.topic(), paths);
  EXPECT_OK(plan.status());
  return plan.ok() ? *std::move(plan) : nullptr;
}

void ExpectValue(const Expected& expected, const FieldValue& found) {
  EXPECT_EQ(found.present, expected.present) << expected.path;
  EXPECT_EQ(found.number, expected.number) << expected.path;
  EXPECT_EQ(found.integer, expected.integer) << expected.path;
  EXPECT_EQ(found.text, expected.text) << expected.path;
  EXPECT_EQ(found.numbers, expected.numbers) << expected.path;
  EXPECT_EQ(std::vector<std::string>(found.texts.begin(), found.texts.end()), expected.texts)
      << expected.path;
}

TEST(LayoutTest, EveryValueOfRandomMessagesIsReadWhereAnotherEncoderPutIt) {
  std::vector<FieldValue> values;
  for (const Layout layout : kLayouts) {
    for (int seed = 0; seed < tests::Cases(1500); ++seed) {
      const RandomMessage message(static_cast<uint64_t>(seed), layout);
      const auto plan = PlanFor(message);
      ASSERT_NE(plan, nullptr) << message.topic().schema;
      ASSERT_OK(plan->Read(message.bytes(), values)) << message.topic().schema;
      for (size_t i = 0; i < values.size(); ++i) ExpectValue(message.expected()[i], values[i]);
      if (HasFailure()) FAIL() << "seed " << seed << "\n" << message.topic().schema;
    }
  }
}

TEST(LayoutTest, OneFieldIsReadAsAmongAllOthers) {
  std::vector<FieldValue> values;
  for (const Layout layout : kLayouts) {
    for (int seed = 0; seed < tests::Cases(100); ++seed) {
      const RandomMessage message(static_cast<uint64_t>(seed), layout);
      for (const Expected& expected : message.expected()) {
        const auto plan = CompilePlan(message.topic(), {expected.path});
        ASSERT_OK(plan.status());
        ASSERT_OK((*plan)->Read(message.bytes(), values));
        ExpectValue(expected, values.front());
      }
    }
  }
}

TEST(LayoutTest, AMessageCutAnywhereIsRefusedAndNeverReadBeyond) {
  std::vector<FieldValue> values;
  for (const Layout layout : kLayouts) {
    for (int seed = 0; seed < tests::Cases(200); ++seed) {
      const RandomMessage message(static_cast<uint64_t>(seed), layout);
      const auto plan = PlanFor(message);
      const auto printer = MessagePrinter::For(message.topic());
      ASSERT_OK(printer.status());
      for (size_t size = 0; size < message.bytes().size(); ++size) {
        // A heap block of exactly that size, so that a sanitizer sees a read beyond it.
        const std::unique_ptr<char[]> bytes(new char[size]);
        std::memcpy(bytes.get(), message.bytes().data(), size);
        const absl::Status read = plan->Read({bytes.get(), size}, values);
        ASSERT_EQ(read.code(), absl::StatusCode::kDataLoss) << size << " of seed " << seed;
        ASSERT_FALSE(printer->ToJson({bytes.get(), size}).ok());
      }
    }
  }
}

TEST(LayoutTest, TheWholeMessageAsJsonHoldsTheSameNumbers) {
  for (const Layout layout : kLayouts) {
    for (int seed = 0; seed < tests::Cases(300); ++seed) {
      const RandomMessage message(static_cast<uint64_t>(seed), layout);
      const auto printer = MessagePrinter::For(message.topic());
      ASSERT_OK(printer.status());
      const auto text = printer->ToJson(message.bytes());
      ASSERT_OK(text.status());
      const auto json = nlohmann::json::parse(*text, nullptr, false);
      ASSERT_FALSE(json.is_discarded()) << *text;
      for (const Expected& expected : message.expected()) {
        std::string pointer = "/" + expected.path;
        for (char& c : pointer) c = c == '.' || c == '[' ? '/' : c;
        std::erase(pointer, ']');
        const nlohmann::json::json_pointer at(pointer);
        // Arrays of bytes are a digest, times an object.
        if (!json.contains(at)) continue;
        if (json[at].is_boolean()) {
          EXPECT_EQ(json[at].get<bool>(), expected.integer == 1);
        }
        if (json[at].is_string()) {
          EXPECT_EQ(json[at].get<std::string>(), expected.text);
        }
        if (json[at].is_number_float()) {
          const double number = json[at].get<double>();
          EXPECT_TRUE(number == expected.number ||
                      static_cast<float>(number) == static_cast<float>(expected.number))
              << *text << expected.path;
        }
        if (json[at].is_number_integer()) {
          EXPECT_EQ(json[at].get<double>(), expected.number) << *text << expected.path;
        }
      }
    }
  }
}

Topic Cdr(const std::string& definition) {
  return {.name = "/t",
          .type = "t/msg/T",
          .message_encoding = "cdr",
          .schema_encoding = "ros2msg",
          .schema = definition};
}

TEST(CdrTest, EveryPrimitiveIsReadAtEveryAlignment) {
  const std::vector<std::pair<std::string, size_t>> primitives = {
      {"bool", 1},   {"int8", 1},  {"uint8", 1},  {"int16", 2},   {"uint16", 2}, {"int32", 4},
      {"uint32", 4}, {"int64", 8}, {"uint64", 8}, {"float32", 4}, {"float64", 8}};
  std::vector<FieldValue> values;
  for (const auto& [type, size] : primitives) {
    for (size_t before = 0; before <= 8; ++before) {
      for (const bool big : {false, true}) {
        std::string definition;
        std::string bytes = {0, static_cast<char>(big ? 0 : 1), 0, 0};
        for (size_t i = 0; i < before; ++i) {
          definition += "uint8 b" + std::to_string(i) + "\n";
          bytes += 'x';
        }
        bytes.append((size - before % size) % size, 'p');
        const bool real = type.rfind("float", 0) == 0;
        std::string one(size, '\0');  // 1 as a whole number, 2.0 as a real one
        one[size - 1] = real ? '\x40' : size == 1 ? '\1' : '\0';
        if (!real) one[0] = '\1';
        bytes += big ? std::string(one.rbegin(), one.rend()) : one;
        bytes += '\x2a';
        const auto plan = CompilePlan(Cdr(definition + type + " v\nuint8 end\n"), {"v", "end"});
        ASSERT_OK(plan.status());
        ASSERT_OK((*plan)->Read(bytes, values));
        EXPECT_EQ(values[0].number, real ? 2.0 : 1.0) << type << " behind " << before;
        EXPECT_EQ(values[1].integer, 0x2a) << type << " behind " << before;
      }
    }
  }
}

TEST(CdrTest, EncodingsThatAreNotReadAreRefusedByName) {
  const auto plan = CompilePlan(Cdr("uint8 a\n"), {"a"});
  ASSERT_OK(plan.status());
  std::vector<FieldValue> values;
  for (const auto& [second, name] : std::vector<std::pair<char, std::string>>{{2, "PL_CDR"},
                                                                              {3, "PL_CDR"},
                                                                              {6, "PLAIN_CDR2"},
                                                                              {7, "PLAIN_CDR2"},
                                                                              {8, "DELIMITED_CDR2"},
                                                                              {9, "DELIMITED_CDR2"},
                                                                              {10, "PL_CDR2"},
                                                                              {11, "PL_CDR2"}}) {
    const std::string bytes = {0, second, 0, 0, 1};
    const absl::Status read = (*plan)->Read(bytes, values);
    EXPECT_EQ(read.code(), absl::StatusCode::kUnimplemented) << name;
    EXPECT_NE(read.message().find(name), absl::string_view::npos) << read;
  }
  EXPECT_EQ((*plan)->Read(std::string("\1\1\0\0\1", 5), values).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_OK((*plan)->Read(std::string("\0\1\0\0\1", 5), values));
}

TEST(CdrTest, ACountBeyondTheBytesIsRefusedBeforeRoomIsMade) {
  const auto plan = CompilePlan(Cdr("float64[] a\nstring[] b\n"), {"a", "b"});
  ASSERT_OK(plan.status());
  std::vector<FieldValue> values;
  for (const std::string count : {"\xff\xff\xff\xff", "\xff\xff\xff\x7f", "\1\0\0\0"}) {
    const std::string header("\0\1\0\0", 4);
    std::string bytes = header;
    bytes.append(count.c_str(), 1);
    bytes.append(count.size() == 4 ? count.substr(1) : std::string(3, '\0'));
    EXPECT_EQ((*plan)->Read(bytes + std::string(4, '\0'), values).code(),
              absl::StatusCode::kDataLoss);
    EXPECT_EQ(values[0].numbers.capacity(), 0u);
  }
}

TEST(CdrTest, BoundsOfTheDefinitionHold) {
  const auto plan = CompilePlan(Cdr("uint8[<=2] a\nstring<=3 s\n"), {"a", "s"});
  ASSERT_OK(plan.status());
  std::vector<FieldValue> values;
  const std::string header("\0\1\0\0", 4);
  const std::string two("\2\0\0\0xy\0\0", 8);
  const std::string three = header + two + std::string("\4\0\0\0abc\0", 8);
  EXPECT_OK((*plan)->Read(three, values));
  EXPECT_EQ(values[1].text, "abc");
  EXPECT_FALSE((*plan)->Read(header + two + std::string("\5\0\0\0abcd\0", 9), values).ok());
  EXPECT_FALSE((*plan)->Read(header + std::string("\3\0\0\0xyz\0\4\0\0\0abc\0", 16), values).ok());
}

TEST(CdrTest, PaddingMayFollowTheLastFieldButNoMore) {
  const auto plan = CompilePlan(Cdr("uint8 a\n"), {"a"});
  ASSERT_OK(plan.status());
  std::vector<FieldValue> values;
  const std::string bytes("\0\1\0\0\7", 5);
  EXPECT_OK((*plan)->Read(bytes + std::string(7, '\0'), values));
  EXPECT_EQ(values[0].integer, 7);
  EXPECT_EQ((*plan)->Read(bytes + std::string(8, '\0'), values).code(),
            absl::StatusCode::kDataLoss);
}

TEST(CdrTest, AWideStringIsRefusedByName) {
  const auto plan = CompilePlan(Cdr("uint8 a\nwstring w\n"), {"a"});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(plan.status().message().find("t/T.w is a wstring"), absl::string_view::npos)
      << plan.status();
}

}  // namespace
