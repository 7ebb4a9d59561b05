#include <gtest/gtest.h>

#include <chrono>

#include "gatekeeper/ingest/field_plan.h"
#include "tests/support/status_matchers.h"

// Definitions and paths as people and recorders write them.

namespace {

using gatekeeper::ingest::CompilePlan;
using gatekeeper::ingest::FieldName;
using gatekeeper::ingest::FieldsOf;
using gatekeeper::ingest::Topic;

Topic Ros2(const std::string& definition, const std::string& type = "t/msg/T") {
  return {.name = "/t",
          .type = type,
          .message_encoding = "cdr",
          .schema_encoding = definition.empty() ? "" : "ros2msg",
          .schema = definition};
}

std::string FieldsText(const Topic& topic) {
  const auto fields = FieldsOf(topic);
  if (!fields.ok()) return std::string(fields.status().message());
  std::string text;
  for (const FieldName& field : *fields) text += field.path + ":" + field.type + " ";
  return text;
}

void ExpectRefused(const Topic& topic, const std::string& path, const std::string& why) {
  const auto plan = CompilePlan(topic, {path});
  ASSERT_FALSE(plan.ok()) << path;
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument) << plan.status();
  EXPECT_NE(plan.status().message().find(why), absl::string_view::npos) << plan.status();
}

TEST(DefinitionTest, CommentsConstantsDefaultsAndBoundsAreRead) {
  EXPECT_EQ(FieldsText(Ros2("# all of it\n"
                            "uint8 OK=0\nuint8 BAD = 1\nstring NAME=a # b\n"
                            "\n"
                            "float32 x 1.5 # default\n"
                            "string name \"a=b\"\r\n"
                            "string<=10 short\n"
                            "string<=10[<=3] many [\"a\", \"b\"]\n"
                            "\tint16[4]\tfour\n"
                            "wstring wide\n"
                            "byte b\nchar c\n")),
            "x:float32 name:string short:string<=10 many:string<=10[<=3] four:int16[4] "
            "wide:wstring b:uint8 c:uint8 ");
}

TEST(DefinitionTest, TypesInsideAreFoundByWhateverNameTheyGoBy) {
  EXPECT_EQ(FieldsText(Ros2("Inner a\nt/Inner b\nt/msg/Inner[] c\nHeader header\n"
                            "===\nMSG: t/Inner\nint32 n\n")),
            "a:t/Inner a.n:int32 b:t/Inner b.n:int32 c:t/Inner[] c[].n:int32 "
            "header:std_msgs/Header header.stamp:builtin_interfaces/Time header.frame_id:string ");
}

TEST(DefinitionTest, CommonTypesNeedNoDefinition) {
  for (const std::string type :
       {"sensor_msgs/msg/LaserScan", "nav_msgs/msg/Odometry", "geometry_msgs/msg/Twist",
        "sensor_msgs/msg/Image", "sensor_msgs/msg/JointState", "tf2_msgs/msg/TFMessage",
        "nav_msgs/msg/OccupancyGrid", "sensor_msgs/msg/Imu", "std_msgs/msg/Empty"}) {
    EXPECT_OK(FieldsOf(Ros2("", type)).status());
  }
  EXPECT_EQ(FieldsText(Ros2("", "my_msgs/msg/Own")),
            "topic /t (my_msgs/msg/Own): the recording holds no definition of my_msgs/Own, and it "
            "is none of the common types");
}

TEST(DefinitionTest, WhatIsWrongIsSaidWithItsLine) {
  EXPECT_EQ(FieldsText(Ros2("int32 a\nNothing b\n")),
            "topic /t (t/msg/T): message definition of t/T, line 2: there is no definition of "
            "t/Nothing");
  EXPECT_EQ(FieldsText(Ros2("int32 a\nint32\n")),
            "topic /t (t/msg/T): message definition of t/T, line 2: 'int32' has no name");
  EXPECT_EQ(FieldsText(Ros2("I i\n===\nMSG: t/I\nint32 a\nint32[x] b\n")),
            "topic /t (t/msg/T): message definition of t/I, line 5: 'x' is no size");
  EXPECT_EQ(FieldsText(Ros2("int32 a\nint32 a\n")),
            "topic /t (t/msg/T): message definition of t/T, line 2: second 'a'");
  EXPECT_EQ(FieldsText(Ros2("int64 a\n---\nint64 sum\n")),
            "topic /t (t/msg/T): t/T is a service; only messages are read");
}

TEST(DefinitionTest, TypesThatContainThemselvesOrExplodeAreRefused) {
  EXPECT_EQ(FieldsText(Ros2("T again\n")), "topic /t (t/msg/T): type t/T contains itself");
  EXPECT_EQ(FieldsText(Ros2("A a\n===\nMSG: t/A\nB[] b\n===\nMSG: t/B\nA[] a\n")),
            "topic /t (t/msg/T): type t/A contains itself");
  std::string deep = "T0 a\n";
  std::string doubling = "T0 a\n";
  for (int i = 0; i < 40; ++i) {
    const std::string head = "===\nMSG: t/T" + std::to_string(i) + "\n";
    const std::string next = i == 39 ? "int32" : "T" + std::to_string(i + 1);
    deep += head + next + " a\n";
    if (i < 30)
      doubling += head + (i == 29 ? "int32" : next) + " a\n" + (i == 29 ? "int32" : next) + " b\n";
  }
  EXPECT_NE(FieldsText(Ros2(deep)).find("nests deeper than 32"), std::string::npos);
  EXPECT_NE(FieldsText(Ros2(doubling)).find("more than 65,536 fields"), std::string::npos);
  EXPECT_NE(FieldsText(Ros2("float64[4294967295] a\n")).find("or a GiB"), std::string::npos);
  EXPECT_NE(FieldsText(Ros2("string[70000] a\n")).find("more than 65,536"), std::string::npos);
}

TEST(DefinitionTest, EncodingsThatAreNotReadAreNamed) {
  Topic topic = Ros2("struct T { long a; };");
  topic.schema_encoding = "ros2idl";
  EXPECT_EQ(CompilePlan(topic, {"a"}).status().code(), absl::StatusCode::kUnimplemented);
  topic.message_encoding = "cbor";
  const auto plan = CompilePlan(topic, {"a"});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(plan.status().message().find("'cbor' with the schema 'ros2idl'"),
            absl::string_view::npos);
}

TEST(PathTest, AWrongNameComesBackWithTheNearest) {
  const Topic odom = Ros2("", "nav_msgs/msg/Odometry");
  ExpectRefused(odom, "twist.twist.liner.x", "did you mean 'linear'?");
  ExpectRefused(odom, "pose.pose.orientation.heading", "it has x, y, z, w");
  ExpectRefused(odom, "Header.stamp", "did you mean 'header'?");
}

TEST(PathTest, APathLeadsToAValue) {
  const Topic scan = Ros2("", "sensor_msgs/msg/LaserScan");
  EXPECT_OK(
      CompilePlan(scan, {"header.stamp", "header.stamp.sec", "ranges", "ranges[3]"}).status());
  ExpectRefused(scan, "header", "is no value; name a field of it, as in .stamp");
  ExpectRefused(scan, "angle_min[0]", "is no array");
  ExpectRefused(scan, "angle_min.x", "has no fields inside");
  ExpectRefused(scan, "ranges[x]", "an index is a number in brackets");
  ExpectRefused(scan, "ranges[3", "an index is a number in brackets");
  ExpectRefused(scan, "ranges[99999999999]", "an index is a number in brackets");
  ExpectRefused(scan, "", "a name is missing");
  ExpectRefused(scan, "header..stamp", "a name is missing");
  const Topic odom = Ros2("", "nav_msgs/msg/Odometry");
  EXPECT_OK(CompilePlan(odom, {"pose.covariance[35]"}).status());
  ExpectRefused(odom, "pose.covariance[36]", "ends before that place");
  const Topic tf = Ros2("", "tf2_msgs/msg/TFMessage");
  EXPECT_OK(CompilePlan(tf, {"transforms[1].transform.rotation.w"}).status());
  ExpectRefused(tf, "transforms.transform", "say which, as in transforms[0]");
}

}  // namespace
