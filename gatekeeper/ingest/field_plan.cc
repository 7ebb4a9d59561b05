#include "gatekeeper/ingest/field_plan.h"

#include <optional>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/json_plan.h"
#include "gatekeeper/ingest/json_text.h"
#include "gatekeeper/ingest/protobuf_plan.h"
#include "gatekeeper/ingest/ros_definition.h"
#include "gatekeeper/ingest/step_program.h"
#include "gatekeeper/ingest/ulog_definition.h"

namespace gatekeeper::ingest {
namespace {

enum class Encoding { kCdr, kRos1, kUlog, kProtobuf, kJson };

struct Known {
  std::string_view message;  // encoding of the messages ...
  std::string_view schema;   // ... and of their definition
  Encoding encoding;
  bool schema_may_lack = false;
};
constexpr Known kKnown[] = {
    {"cdr", "ros2msg", Encoding::kCdr, true},
    {"ros1", "ros1msg", Encoding::kRos1},
    {"ulog", "ulog", Encoding::kUlog},
    {"protobuf", "protobuf", Encoding::kProtobuf},
    {"json", "jsonschema", Encoding::kJson, true},
};

absl::StatusOr<Encoding> EncodingOf(const Topic& topic) {
  const bool lacks =
      topic.schema.empty() || topic.schema_encoding.empty() || topic.schema_encoding == "unknown";
  for (const Known& known : kKnown) {
    if (known.message != topic.message_encoding) continue;
    if (lacks && known.schema_may_lack) return known.encoding;
    if (!topic.schema_encoding.empty() && known.schema == topic.schema_encoding) {
      return known.encoding;
    }
  }
  return absl::UnimplementedError(absl::StrFormat(
      "its messages are '%s' with the schema '%s'; read are cdr with ros2msg, ros1 with ros1msg, "
      "ulog, protobuf, json",
      topic.message_encoding, topic.schema_encoding));
}

Wire WireOf(Encoding encoding) {
  if (encoding == Encoding::kUlog) return Wire::kUlog;
  return encoding == Encoding::kRos1 ? Wire::kRos1 : Wire::kCdr;
}

absl::StatusOr<TypeTree> TypesOf(const Topic& topic, Encoding encoding) {
  if (encoding == Encoding::kUlog) return ParseUlogDefinition(topic.type, topic.schema);
  return ParseRosDefinition(topic.type, topic.schema, WireOf(encoding));
}

// Every error says which topic it is about.
absl::Status About(const Topic& topic, const absl::Status& status) {
  return {status.code(), absl::StrFormat("topic %s (%s): %s", topic.name, topic.type,
                                         std::string(status.message()))};
}

absl::StatusOr<std::unique_ptr<FieldPlan>> Compile(const Topic& topic,
                                                   const std::vector<std::string>& paths) {
  ASSIGN_OR_RETURN(const Encoding encoding, EncodingOf(topic));
  if (encoding == Encoding::kJson) return CompileJsonPlan(topic.type, topic.schema, paths);
  if (encoding == Encoding::kProtobuf) {
    ASSIGN_OR_RETURN(const ProtobufSchema schema, ParseProtobufSchema(topic.type, topic.schema));
    return CompileProtobufPlan(schema, paths);
  }
  ASSIGN_OR_RETURN(const TypeTree tree, TypesOf(topic, encoding));
  ASSIGN_OR_RETURN(const Want wanted, ResolvePaths(tree, paths));
  ASSIGN_OR_RETURN(StepProgram program, CompileSteps(tree, wanted, WireOf(encoding)));
  return MakeStepPlan(std::move(program), WireOf(encoding), paths.size(), topic.type);
}

absl::Status ListFields(const TypeTree& tree, const MessageType& type, const std::string& prefix,
                        std::vector<FieldName>& fields) {
  for (const Field& field : type.fields) {
    if (field.hidden) continue;
    fields.push_back({prefix + field.name, TypeText(tree, field)});
    if (fields.size() > kMostFields) {
      return absl::ResourceExhaustedError("the type has more than 65,536 fields");
    }
    if (field.kind != Kind::kMessage || tree.types[field.type].moment != Moment::kNone) continue;
    const std::string inside = prefix + field.name + (field.shape == Shape::kOne ? "." : "[].");
    RETURN_IF_ERROR(ListFields(tree, tree.types[field.type], inside, fields));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<FieldName>> Fields(const Topic& topic) {
  ASSIGN_OR_RETURN(const Encoding encoding, EncodingOf(topic));
  if (encoding == Encoding::kJson) return JsonFields(topic.type, topic.schema);
  if (encoding == Encoding::kProtobuf) {
    ASSIGN_OR_RETURN(const ProtobufSchema schema, ParseProtobufSchema(topic.type, topic.schema));
    return ProtobufFields(schema);
  }
  ASSIGN_OR_RETURN(const TypeTree tree, TypesOf(topic, encoding));
  std::vector<FieldName> fields;
  RETURN_IF_ERROR(ListFields(tree, tree.types[tree.root], "", fields));
  return fields;
}

}  // namespace

void FieldPlan::Clear(size_t slots, std::vector<FieldValue>& values) {
  values.resize(slots);
  for (FieldValue& value : values) {
    value.present = false;
    value.number = 0;
    value.integer = 0;
    value.text = {};
    value.numbers.clear();
    value.texts.clear();
  }
}

absl::StatusOr<std::unique_ptr<FieldPlan>> CompilePlan(const Topic& topic,
                                                       const std::vector<std::string>& paths) {
  absl::StatusOr<std::unique_ptr<FieldPlan>> plan = Compile(topic, paths);
  if (!plan.ok()) return About(topic, plan.status());
  return plan;
}

struct MessagePrinter::Types {
  Encoding encoding = Encoding::kJson;
  TypeTree tree;
  ProtobufSchema protobuf;
};

MessagePrinter::MessagePrinter(std::unique_ptr<Types> types) : types_(std::move(types)) {}
MessagePrinter::MessagePrinter(MessagePrinter&&) noexcept = default;
MessagePrinter& MessagePrinter::operator=(MessagePrinter&&) noexcept = default;
MessagePrinter::~MessagePrinter() = default;

absl::StatusOr<MessagePrinter> MessagePrinter::For(const Topic& topic) {
  const absl::StatusOr<Encoding> encoding = EncodingOf(topic);
  if (!encoding.ok()) return About(topic, encoding.status());
  auto types = std::make_unique<Types>();
  types->encoding = *encoding;
  absl::Status made = absl::OkStatus();
  if (*encoding == Encoding::kProtobuf) {
    absl::StatusOr<ProtobufSchema> schema = ParseProtobufSchema(topic.type, topic.schema);
    made = schema.status();
    if (made.ok()) types->protobuf = *std::move(schema);
  } else if (*encoding != Encoding::kJson) {
    absl::StatusOr<TypeTree> tree = TypesOf(topic, *encoding);
    made = tree.status();
    if (made.ok()) types->tree = *std::move(tree);
  }
  if (!made.ok()) return About(topic, made);
  return MessagePrinter(std::move(types));
}

absl::StatusOr<std::string> MessagePrinter::ToJson(std::string_view message) const {
  if (types_->encoding == Encoding::kJson) return JsonToJson(message);
  if (types_->encoding == Encoding::kProtobuf) return ProtobufToJson(types_->protobuf, message);
  return WireToJson(types_->tree, WireOf(types_->encoding), message);
}

absl::StatusOr<std::vector<FieldName>> FieldsOf(const Topic& topic) {
  absl::StatusOr<std::vector<FieldName>> fields = Fields(topic);
  if (!fields.ok()) return About(topic, fields.status());
  return fields;
}

}  // namespace gatekeeper::ingest
