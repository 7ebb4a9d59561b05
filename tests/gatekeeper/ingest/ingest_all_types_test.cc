#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "gatekeeper/ingest/field_plan.h"
#include "nlohmann/json.hpp"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"

// 94 ROS 2 types, two messages each, in an MCAP and a db3 file that another library wrote.

namespace {

using gatekeeper::ingest::CompilePlan;
using gatekeeper::ingest::FieldName;
using gatekeeper::ingest::FieldsOf;
using gatekeeper::ingest::FieldValue;
using gatekeeper::ingest::MessagePrinter;
using gatekeeper::ingest::OpenRecording;
using gatekeeper::ingest::RawMessage;
using gatekeeper::ingest::Topic;
using nlohmann::json;

struct Recorded {
  Topic topic;
  std::vector<std::string> messages;
};
using Topics = std::map<std::string, Recorded>;

Topics Load(const std::string& name) {
  Topics topics;
  const auto file = OpenRecording(tests::SharedRecording(name));
  EXPECT_OK(file.status());
  if (!file.ok()) return topics;
  EXPECT_OK((*file)->ForEachMessage({}, [&](const Topic& topic, const RawMessage& message) {
    topics[topic.name].topic = topic;
    topics[topic.name].messages.emplace_back(message.data);
    return absl::OkStatus();
  }));
  return topics;
}

class AllTypesTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT(tests::SharedRecording("rosbag2"));
    mcap_ = Load("rosbag2/rosbags-rs_all_types.mcap");
    db3_ = Load("rosbag2/rosbags-rs_all_types.db3");
    ASSERT_EQ(mcap_.size(), 94u);
    ASSERT_EQ(db3_.size(), 94u);
  }
  Topics mcap_;
  Topics db3_;
};

// The paths of a message's values; of arrays of messages, the first place.
std::vector<std::string> ValuePaths(const Topic& topic) {
  std::vector<std::string> paths;
  const auto fields = FieldsOf(topic);
  EXPECT_OK(fields.status());
  if (!fields.ok()) return paths;
  for (const FieldName& field : *fields) {
    std::string path = field.path;
    for (size_t at = path.find("[]"); at != path.npos; at = path.find("[]", at)) {
      path.replace(at, 2, "[0]");
    }
    if (CompilePlan(topic, {path}).ok()) paths.push_back(path);
  }
  return paths;
}

json Parsed(const Recorded& recorded, size_t index) {
  const auto printer = MessagePrinter::For(recorded.topic);
  EXPECT_OK(printer.status());
  const auto text = printer->ToJson(recorded.messages[index]);
  EXPECT_OK(text.status());
  return text.ok() ? json::parse(*text) : json();
}

TEST_F(AllTypesTest, EqualPayloadsOfBothContainersHaveEqualValues) {
  size_t equal = 0;
  for (const auto& [name, recorded] : mcap_) {
    const Recorded& other = db3_.at(name);
    ASSERT_EQ(recorded.messages.size(), 2u);
    ASSERT_EQ(other.messages.size(), 2u);
    equal += recorded.messages == other.messages ? 1 : 0;
    for (size_t i = 0; i < 2; ++i) {
      // What else was written at another time differs in its stamps, and in nothing but stamps.
      for (const json& change : json::diff(Parsed(recorded, i), Parsed(other, i))) {
        EXPECT_NE(recorded.messages, other.messages) << name;
        EXPECT_NE(change["path"].get<std::string>().find("/stamp/"), std::string::npos)
            << name << change;
      }
    }
  }
  EXPECT_EQ(equal, 53u);
}

TEST_F(AllTypesTest, EveryPathReadsWhatTheWholeMessageShows) {
  size_t compared = 0;
  std::vector<FieldValue> values;
  for (const auto& [name, recorded] : mcap_) {
    const std::vector<std::string> paths = ValuePaths(recorded.topic);
    const json whole = Parsed(recorded, 0);
    const auto plan = CompilePlan(recorded.topic, paths);
    ASSERT_OK(plan.status());
    ASSERT_OK((*plan)->Read(recorded.messages[0], values));
    for (size_t i = 0; i < paths.size(); ++i) {
      std::string pointer = "/" + paths[i];
      for (char& c : pointer) c = c == '.' || c == '[' ? '/' : c;
      std::erase(pointer, ']');
      const json::json_pointer at(pointer);
      ASSERT_EQ(values[i].present, whole.contains(at)) << name << " " << paths[i];
      if (!values[i].present) continue;
      ++compared;
      const json& shown = whole[at];
      if (shown.is_boolean()) {
        EXPECT_EQ(values[i].integer, shown.get<bool>() ? 1 : 0) << paths[i];
      } else if (shown.is_number_float()) {
        // float32 is shown in its own digits, not in those of a double.
        EXPECT_TRUE(values[i].number == shown.get<double>() ||
                    values[i].number == static_cast<double>(shown.get<float>()))
            << paths[i];
      } else if (shown.is_number()) {
        EXPECT_EQ(values[i].number, shown.get<double>()) << paths[i];
      } else if (shown.is_string()) {
        EXPECT_EQ(values[i].text, shown.get<std::string>()) << paths[i];
      } else if (shown.contains("sec")) {
        EXPECT_EQ(values[i].integer,
                  shown["sec"].get<int64_t>() * 1'000'000'000 + shown["nanosec"].get<int64_t>());
      } else if (shown.contains("bytes")) {
        EXPECT_EQ(values[i].text.size(), shown["bytes"].get<size_t>()) << paths[i];
      } else {
        EXPECT_EQ(values[i].numbers.size() + values[i].texts.size(), shown.size()) << paths[i];
      }
    }
  }
  EXPECT_GT(compared, 500u);
}

TEST_F(AllTypesTest, APayloadCutAtAnyByteIsRefused) {
  std::vector<FieldValue> values;
  for (const Topics* topics : {&mcap_, &db3_}) {
    for (const auto& [name, recorded] : *topics) {
      // Nothing of an Empty is lost with its only byte, which means nothing.
      const size_t least = name == "/test/std_msgs/empty" ? 4 : recorded.messages[0].size();
      const auto plan = CompilePlan(recorded.topic, ValuePaths(recorded.topic));
      ASSERT_OK(plan.status());
      for (size_t size = 0; size < least; ++size) {
        const std::unique_ptr<char[]> bytes(new char[size]);
        std::memcpy(bytes.get(), recorded.messages[0].data(), size);
        EXPECT_EQ((*plan)->Read({bytes.get(), size}, values).code(), absl::StatusCode::kDataLoss)
            << name << " cut at " << size;
      }
    }
  }
}

TEST_F(AllTypesTest, CommonTypesAreWhatTheBagsDefine) {
  size_t common = 0;
  for (auto& [name, recorded] : mcap_) {
    Topic bare = recorded.topic;
    bare.schema.clear();
    bare.schema_encoding.clear();
    const auto fields = FieldsOf(bare);
    if (!fields.ok()) continue;
    ++common;
    const auto defined = FieldsOf(recorded.topic);
    ASSERT_OK(defined.status());
    ASSERT_EQ(fields->size(), defined->size()) << name;
    for (size_t i = 0; i < fields->size(); ++i) {
      EXPECT_EQ((*fields)[i].path, (*defined)[i].path) << name;
      EXPECT_EQ((*fields)[i].type, (*defined)[i].type) << name;
    }
  }
  EXPECT_GE(common, 30u);
}

TEST_F(AllTypesTest, ValuesAreThoseThatWereWritten) {
  std::vector<FieldValue> values;
  const auto read = [&](const std::string& topic, const std::vector<std::string>& paths) {
    const Recorded& recorded = db3_.at(topic);
    const auto plan = CompilePlan(recorded.topic, paths);
    ASSERT_OK(plan.status());
    ASSERT_OK((*plan)->Read(recorded.messages[0], values));
  };
  read("/test/geometry_msgs/twist", {"linear.x", "angular.z"});
  EXPECT_EQ(values[0].number, 1.0);
  EXPECT_EQ(values[1].number, 0.5);
  read("/test/std_msgs/uint64", {"data"});
  EXPECT_EQ(static_cast<uint64_t>(values[0].integer), UINT64_MAX);
  read("/test/std_msgs/string", {"data"});
  EXPECT_EQ(values[0].text, "Hello, ROS2!");
  read("/test/sensor_msgs/joy_feedback_array", {"array[1].type", "array[2].type"});
  EXPECT_EQ(values[0].integer, 2);
  EXPECT_FALSE(values[1].present);
}

// What rosbag2 itself recorded.
TEST(RosbagTest, TheTurtleBotsCommandsOfNav2AreReadAsNumbers) {
  const std::string path = tests::SharedRecording("nav2-collision/cm_moving_obstacle_0.mcap.zstd");
  SKIP_WITHOUT(path);
  const auto file = OpenRecording(path);
  ASSERT_OK(file.status());
  std::map<std::string, std::unique_ptr<gatekeeper::ingest::FieldPlan>> plans;
  for (const Topic& topic : (*file)->topics()) {
    const std::vector<std::string> paths =
        topic.name == "/cmd_vel_smoothed" ? std::vector<std::string>{"linear.x", "angular.z"}
        : topic.name == "/clock"
            ? std::vector<std::string>{"clock"}
            : std::vector<std::string>{"metadata.size_x", "metadata.resolution", "data"};
    auto plan = CompilePlan(topic, paths);
    ASSERT_OK(plan.status());
    plans[topic.name] = *std::move(plan);
  }
  std::vector<FieldValue> values;
  int64_t last_clock_ns = 0;
  double fastest = 0;
  size_t grids = 0;
  ASSERT_OK((*file)->ForEachMessage({}, [&](const Topic& topic, const RawMessage& message) {
    EXPECT_OK(plans[topic.name]->Read(message.data, values));
    if (topic.name == "/cmd_vel_smoothed") fastest = std::max(fastest, values[0].number);
    if (topic.name == "/local_costmap/costmap") {
      ++grids;
      const auto side = static_cast<size_t>(values[0].integer);
      EXPECT_EQ(values[2].text.size(), side * side);
    }
    if (topic.name == "/clock") {
      EXPECT_GE(values[0].integer, last_clock_ns);
      last_clock_ns = values[0].integer;
    }
    return absl::OkStatus();
  }));
  EXPECT_EQ(grids, 231u);
  EXPECT_GT(fastest, 0);
  EXPECT_GT(last_clock_ns, 0);
}

TEST(RosbagTest, AFlightLogsBatteryIsRead) {
  const std::string path = tests::SharedRecording("ulog/sample_log_small.ulg");
  SKIP_WITHOUT(path);
  const auto file = OpenRecording(path);
  ASSERT_OK(file.status());
  std::vector<FieldValue> values;
  std::map<std::string, size_t> batteries;
  std::map<std::string, MessagePrinter> printers;
  for (const Topic& topic : (*file)->topics()) {
    auto printer = MessagePrinter::For(topic);
    ASSERT_OK(printer.status());
    printers.emplace(topic.name, *std::move(printer));
  }
  ASSERT_OK((*file)->ForEachMessage({}, [&](const Topic& topic, const RawMessage& message) {
    EXPECT_OK(printers.at(topic.name).ToJson(message.data).status());
    if (topic.type != "battery_status") return absl::OkStatus();
    ++batteries[topic.name];
    const auto plan = CompilePlan(topic, {"timestamp", "voltage_v", "voltage_cell_v[0]"});
    EXPECT_OK(plan.status());
    EXPECT_OK((*plan)->Read(message.data, values));
    EXPECT_GT(values[0].integer, 0);
    EXPECT_TRUE(values[1].number >= 0 && values[1].number < 60) << values[1].number;
    return absl::OkStatus();
  }));
  ASSERT_EQ(batteries.size(), 2u);
  for (const auto& [name, count] : batteries) EXPECT_EQ(count, 21u) << name;
}

}  // namespace
