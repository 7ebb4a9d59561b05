#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "agent/recording/foxglove_codec.h"
#include "gatekeeper/ingest/field_plan.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"
#include "nlohmann/json.hpp"
#include "proto/foxglove.pb.h"
#include "tests/support/cases.h"
#include "tests/support/status_matchers.h"

namespace {

using gatekeeper::ingest::CompilePlan;
using gatekeeper::ingest::FieldName;
using gatekeeper::ingest::FieldsOf;
using gatekeeper::ingest::FieldValue;
using gatekeeper::ingest::MessagePrinter;
using gatekeeper::ingest::Topic;
using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::Message;

Topic TopicOf(const std::string& type, const std::string& schema) {
  return {.name = "/t",
          .type = type,
          .message_encoding = "protobuf",
          .schema_encoding = "protobuf",
          .schema = schema};
}

// Every scalar type of protobuf, single, packed and unpacked; strings, bytes, messages.
google::protobuf::FileDescriptorSet EveryType(bool proto3) {
  google::protobuf::FileDescriptorSet set;
  google::protobuf::FileDescriptorProto& file = *set.add_file();
  file.set_name("every.proto");
  file.set_package("t");
  file.set_syntax(proto3 ? "proto3" : "proto2");
  DescriptorProto& type = *file.add_message_type();
  type.set_name("Every");
  const auto add = [&](const std::string& name, int number, FieldDescriptorProto::Type kind,
                       FieldDescriptorProto::Label label) -> FieldDescriptorProto& {
    FieldDescriptorProto& field = *type.add_field();
    field.set_name(name);
    field.set_number(number);
    field.set_type(kind);
    field.set_label(label);
    return field;
  };
  for (int kind = FieldDescriptorProto::TYPE_DOUBLE; kind <= FieldDescriptorProto::TYPE_SINT64;
       ++kind) {
    if (kind == FieldDescriptorProto::TYPE_GROUP || kind == FieldDescriptorProto::TYPE_ENUM) {
      continue;
    }
    const auto wanted = static_cast<FieldDescriptorProto::Type>(kind);
    const bool message = wanted == FieldDescriptorProto::TYPE_MESSAGE;
    const bool text =
        wanted == FieldDescriptorProto::TYPE_STRING || wanted == FieldDescriptorProto::TYPE_BYTES;
    const std::string name = "f" + std::to_string(kind);
    FieldDescriptorProto& one = add(name, kind, wanted, FieldDescriptorProto::LABEL_OPTIONAL);
    FieldDescriptorProto& many =
        add(name + "s", 1000 + kind, wanted, FieldDescriptorProto::LABEL_REPEATED);
    if (message) one.set_type_name(".t.Every"), many.set_type_name(".t.Every");
    if (message || text) continue;
    many.mutable_options()->set_packed(true);
    add(name + "u", 2000 + kind, wanted, FieldDescriptorProto::LABEL_REPEATED)
        .mutable_options()
        ->set_packed(false);
  }
  return set;
}

class FilledMessage {
 public:
  FilledMessage(uint64_t seed, const google::protobuf::Descriptor& type) : random_(seed) {
    message_.reset(factory_.GetPrototype(&type)->New());
    Fill(*message_, 0);
  }
  const Message& message() const { return *message_; }

 private:
  void Fill(Message& message, int depth) {
    const auto& reflection = *message.GetReflection();
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor& field = *message.GetDescriptor()->field(i);
      if (random_() % 3 == 0) continue;
      const bool nested = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      if (nested && depth == 2) continue;
      if (!field.is_repeated()) {
        nested ? Fill(*reflection.MutableMessage(&message, &field), depth + 1)
               : Set(message, field, false);
        continue;
      }
      for (uint64_t count = random_() % 4; count > 0; --count) {
        nested ? Fill(*reflection.AddMessage(&message, &field), depth + 1)
               : Set(message, field, true);
      }
    }
  }

  void Set(Message& message, const FieldDescriptor& field, bool add) {
    const auto& r = *message.GetReflection();
    const auto put = [&](auto set, auto append, auto value) {
      add ? (r.*append)(&message, &field, value) : (r.*set)(&message, &field, value);
    };
    using R = google::protobuf::Reflection;
    const uint64_t raw = random_() >> (random_() % 64);
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return put(&R::SetInt32, &R::AddInt32, static_cast<int32_t>(raw));
      case FieldDescriptor::CPPTYPE_INT64:
        return put(&R::SetInt64, &R::AddInt64, static_cast<int64_t>(raw));
      case FieldDescriptor::CPPTYPE_UINT32:
        return put(&R::SetUInt32, &R::AddUInt32, static_cast<uint32_t>(raw));
      case FieldDescriptor::CPPTYPE_UINT64:
        return put(&R::SetUInt64, &R::AddUInt64, raw);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return put(&R::SetDouble, &R::AddDouble, static_cast<double>(raw) * -1e-7);
      case FieldDescriptor::CPPTYPE_FLOAT:
        return put(&R::SetFloat, &R::AddFloat, static_cast<float>(raw) * 1e-7f);
      case FieldDescriptor::CPPTYPE_BOOL:
        return put(&R::SetBool, &R::AddBool, raw % 2 == 1);
      default: {
        const std::string text(raw % 7, static_cast<char>('a' + raw % 26));
        add ? r.AddString(&message, &field, text) : r.SetString(&message, &field, text);
      }
    }
  }

  std::mt19937_64 random_;
  google::protobuf::DynamicMessageFactory factory_;
  std::unique_ptr<Message> message_;
};

// A scalar by reflection; place -1 for a single field.
double NumberOf(const Message& message, const FieldDescriptor& field, int at) {
  const auto& r = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return at < 0 ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, at);
    case FieldDescriptor::CPPTYPE_INT64:
      return static_cast<double>(at < 0 ? r.GetInt64(message, &field)
                                        : r.GetRepeatedInt64(message, &field, at));
    case FieldDescriptor::CPPTYPE_UINT32:
      return at < 0 ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, at);
    case FieldDescriptor::CPPTYPE_UINT64:
      return static_cast<double>(at < 0 ? r.GetUInt64(message, &field)
                                        : r.GetRepeatedUInt64(message, &field, at));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return at < 0 ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, at);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return at < 0 ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, at);
    default:
      return at < 0 ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, at);
  }
}

void ExpectFields(const Topic& topic, const Message& outer, const Message& message,
                  const std::string& prefix) {
  const auto& r = *message.GetReflection();
  std::vector<std::string> paths;
  std::vector<const FieldDescriptor*> fields;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) continue;
    fields.push_back(field);
    paths.push_back(prefix + field->name());
    if (field->is_repeated()) paths.push_back(prefix + field->name() + "[1]");
  }
  const auto plan = CompilePlan(topic, paths);
  ASSERT_OK(plan.status());
  std::vector<FieldValue> values;
  const std::string bytes = outer.SerializeAsString();
  ASSERT_OK((*plan)->Read(bytes, values));
  size_t slot = 0;
  for (const FieldDescriptor* field : fields) {
    const FieldValue& value = values[slot++];
    const bool text = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    if (!field->is_repeated()) {
      EXPECT_EQ(value.present, !field->has_presence() || r.HasField(message, field));
      if (text) {
        EXPECT_EQ(value.text, r.GetString(message, field));
      } else {
        EXPECT_EQ(value.number, NumberOf(message, *field, -1)) << field->name();
      }
      continue;
    }
    const int count = r.FieldSize(message, field);
    ASSERT_EQ(value.numbers.size() + value.texts.size(), static_cast<size_t>(count));
    for (int at = 0; at < count; ++at) {
      const auto place = static_cast<size_t>(at);
      if (text) {
        EXPECT_EQ(value.texts[place], r.GetRepeatedString(message, field, at));
      } else {
        EXPECT_EQ(value.numbers[place], NumberOf(message, *field, at)) << field->name();
      }
    }
    const FieldValue& second = values[slot++];
    ASSERT_EQ(second.present, count > 1);
    if (count > 1 && !text) {
      EXPECT_EQ(second.number, NumberOf(message, *field, 1));
    }
  }
}

TEST(ProtobufPlanTest, ReadsWhatReflectionReads) {
  for (const bool proto3 : {false, true}) {
    const auto set = EveryType(proto3);
    const Topic topic = TopicOf("t.Every", set.SerializeAsString());
    google::protobuf::DescriptorPool pool;
    ASSERT_NE(pool.BuildFile(set.file(0)), nullptr);
    const auto* type = pool.FindMessageTypeByName("t.Every");
    const FieldDescriptor* one = type->FindFieldByName("f11");
    const FieldDescriptor* many = type->FindFieldByName("f11s");
    for (int seed = 0; seed < tests::Cases(400); ++seed) {
      const FilledMessage random(static_cast<uint64_t>(seed), *type);
      const Message& message = random.message();
      const auto& r = *message.GetReflection();
      ExpectFields(topic, message, message, "");
      if (r.HasField(message, one)) {
        ExpectFields(topic, message, r.GetMessage(message, one), "f11.");
      }
      for (int at = 0; at < r.FieldSize(message, many); ++at) {
        ExpectFields(topic, message, r.GetRepeatedMessage(message, many, at),
                     "f11s[" + std::to_string(at) + "].");
      }
    }
  }
}

TEST(ProtobufPlanTest, BytesCutWithinAFieldOnThePathAreRefused) {
  foxglove::LaserScan scan;
  scan.mutable_timestamp()->set_seconds(7);
  scan.mutable_timestamp()->set_nanos(5);
  scan.set_frame_id("laser");
  for (int i = 0; i < 5; ++i) scan.add_ranges(i * 0.5);
  const Topic topic =
      TopicOf("foxglove.LaserScan", agent::recording::SchemaOf(*foxglove::LaserScan::descriptor()));
  const auto plan = CompilePlan(topic, {"timestamp", "ranges", "ranges[3]", "frame_id"});
  ASSERT_OK(plan.status());
  const std::string bytes = scan.SerializeAsString();
  std::vector<FieldValue> values;
  ASSERT_OK((*plan)->Read(bytes, values));
  EXPECT_EQ(values[0].integer, 7'000'000'005);
  EXPECT_EQ(values[1].numbers, (std::vector<double>{0, 0.5, 1, 1.5, 2}));
  EXPECT_EQ(values[2].number, 1.5);
  EXPECT_EQ(values[3].text, "laser");
  size_t accepted = 0;
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::unique_ptr<char[]> cut(new char[size]);
    std::memcpy(cut.get(), bytes.data(), size);
    const absl::Status read = (*plan)->Read({cut.get(), size}, values);
    // Between two fields a shorter message is a message, as protobuf means it.
    foxglove::LaserScan parsed;
    EXPECT_EQ(read.ok(), parsed.ParseFromArray(cut.get(), static_cast<int>(size))) << size;
    accepted += read.ok() ? 1 : 0;
  }
  EXPECT_EQ(accepted, 3u);
}

TEST(ProtobufPlanTest, UnknownFieldsAndGroupsArePassedOver) {
  const Topic topic = TopicOf("foxglove.PoseInFrame",
                              agent::recording::SchemaOf(*foxglove::PoseInFrame::descriptor()));
  const auto plan = CompilePlan(topic, {"frame_id", "pose.position.x"});
  ASSERT_OK(plan.status());
  std::vector<FieldValue> values;
  const std::string group = "\xa3\x06\x08\x01\xab\x06\xac\x06\xa4\x06";  // one in another
  const std::string message = group + "\x12\x01z";
  ASSERT_OK((*plan)->Read(message, values));
  EXPECT_EQ(values[0].text, "z");
  EXPECT_FALSE(values[1].present);
  EXPECT_FALSE((*plan)->Read("\xa3\x06\x08\x01", values).ok());  // not closed
  EXPECT_FALSE((*plan)->Read("\xa4\x06", values).ok());          // never opened
  EXPECT_FALSE((*plan)->Read(std::string(100'000, '\x0b'), values).ok());
  EXPECT_FALSE((*plan)->Read("\x10\x01", values).ok());  // frame_id as a number
}

TEST(ProtobufPlanTest, PathsAndSchemasThatCannotBeFollowedAreRefused) {
  const std::string schema = agent::recording::SchemaOf(*foxglove::LaserScan::descriptor());
  const auto refused = [&](const Topic& topic, const std::string& path) {
    const auto plan = CompilePlan(topic, {path});
    EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(plan.status().message());
  };
  using testing::HasSubstr;
  const Topic scan = TopicOf("foxglove.LaserScan", schema);
  EXPECT_THAT(refused(scan, "range"), HasSubstr("did you mean 'ranges'?"));
  EXPECT_THAT(refused(scan, "pose"), HasSubstr("is no value"));
  EXPECT_THAT(refused(scan, "start_angle[0]"), HasSubstr("is no array"));
  EXPECT_THAT(refused(scan, "frame_id.x"), HasSubstr("has no fields inside"));
  EXPECT_THAT(refused(TopicOf("foxglove.Lidar", schema), "x"), HasSubstr("has no type"));
  EXPECT_THAT(refused(TopicOf("foxglove.LaserScan", "\x0a\x03zzz"), "x"),
              HasSubstr("no FileDescriptorSet"));
  auto set = EveryType(true);
  set.mutable_file(0)->add_dependency("absent.proto");
  EXPECT_THAT(refused(TopicOf("t.Every", set.SerializeAsString()), "f1"),
              HasSubstr("imports a file that the set has not"));
}

TEST(ProtobufPlanTest, FieldsAndJsonAreForPeople) {
  const Topic topic =
      TopicOf("foxglove.LaserScan", agent::recording::SchemaOf(*foxglove::LaserScan::descriptor()));
  const auto fields = FieldsOf(topic);
  ASSERT_OK(fields.status());
  bool found = false;
  for (const FieldName& field : *fields) {
    found = found || (field.path == "pose.position.x" && field.type == "double");
  }
  EXPECT_TRUE(found);
  // A type inside itself is listed once.
  EXPECT_OK(FieldsOf(TopicOf("t.Every", EveryType(true).SerializeAsString())).status());
  foxglove::LaserScan scan;
  scan.add_ranges(0.1);
  scan.add_ranges(std::numeric_limits<double>::infinity());
  scan.set_frame_id("a\"b");
  const auto printer = MessagePrinter::For(topic);
  ASSERT_OK(printer.status());
  const auto text = printer->ToJson(scan.SerializeAsString());
  ASSERT_OK(text.status());
  EXPECT_EQ(*text, R"({"frame_id":"a\"b","ranges":[0.1,null]})");
}

}  // namespace
