#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/json_text.h"
#include "gatekeeper/ingest/message_type.h"
#include "gatekeeper/ingest/protobuf_plan.h"
#include "google/protobuf/dynamic_message.h"

namespace gatekeeper::ingest {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

class DescribedWriter {
 public:
  JsonText& json() { return json_; }

  // In the order of the fields' numbers; what the message does not say is left out.
  void Write(const Message& message) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    json_.Open('{');
    for (const FieldDescriptor* field : fields) {
      if (json_.too_long()) break;
      json_.Key(field->name());
      if (!field->is_repeated()) {
        Value(message, *field, -1);
        continue;
      }
      json_.Open('[');
      const int count = message.GetReflection()->FieldSize(message, field);
      for (int i = 0; i < count && !json_.too_long(); ++i) Value(message, *field, i);
      json_.Close(']');
    }
    json_.Close('}');
  }

 private:
  // Place `at` of a repeated field, or the field itself.
  void Value(const Message& message, const FieldDescriptor& field, int at) {
    const auto& reflection = *message.GetReflection();
    const auto pick = [&](auto one, auto many) {
      return at < 0 ? (reflection.*one)(message, &field) : (reflection.*many)(message, &field, at);
    };
    using R = google::protobuf::Reflection;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return json_.Number(pick(&R::GetInt32, &R::GetRepeatedInt32));
      case FieldDescriptor::CPPTYPE_INT64:
        return json_.Number(pick(&R::GetInt64, &R::GetRepeatedInt64));
      case FieldDescriptor::CPPTYPE_UINT32:
        return json_.Number(pick(&R::GetUInt32, &R::GetRepeatedUInt32));
      case FieldDescriptor::CPPTYPE_UINT64:
        return json_.Number(pick(&R::GetUInt64, &R::GetRepeatedUInt64));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return json_.Number(pick(&R::GetDouble, &R::GetRepeatedDouble));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return json_.Number(pick(&R::GetFloat, &R::GetRepeatedFloat));
      case FieldDescriptor::CPPTYPE_BOOL:
        return json_.Bool(pick(&R::GetBool, &R::GetRepeatedBool));
      case FieldDescriptor::CPPTYPE_ENUM:
        return Enum(field, pick(&R::GetEnumValue, &R::GetRepeatedEnumValue));
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string text = pick(&R::GetString, &R::GetRepeatedString);
        return field.type() == FieldDescriptor::TYPE_BYTES ? json_.Bytes(text) : json_.Text(text);
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Write(at < 0 ? reflection.GetMessage(message, &field)
                            : reflection.GetRepeatedMessage(message, &field, at));
    }
  }

  void Enum(const FieldDescriptor& field, int number) {
    const auto* value = field.enum_type()->FindValueByNumber(number);
    if (value == nullptr) {
      json_.Number(number);
    } else {
      json_.Text(value->name());
    }
  }

  JsonText json_;
};

class Lister {
 public:
  absl::Status Add(const Descriptor& type, const std::string& prefix) {
    if (std::find(open_.begin(), open_.end(), &type) != open_.end()) return absl::OkStatus();
    open_.push_back(&type);
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const std::string path = prefix + field.name();
      const bool message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      const std::string name = message ? field.message_type()->full_name()
                               : field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM
                                   ? field.enum_type()->full_name()
                                   : std::string(field.type_name());
      fields_.push_back({path, field.is_repeated() ? name + "[]" : name});
      if (fields_.size() > kMostFields) {
        return absl::ResourceExhaustedError("the type has more than 65,536 fields");
      }
      if (!message || IsMoment(*field.message_type())) continue;
      RETURN_IF_ERROR(Add(*field.message_type(), path + (field.is_repeated() ? "[]." : ".")));
    }
    open_.pop_back();
    return absl::OkStatus();
  }
  std::vector<FieldName> fields() && { return std::move(fields_); }

 private:
  std::vector<const Descriptor*> open_;  // a type inside itself is listed once
  std::vector<FieldName> fields_;
};

}  // namespace

absl::StatusOr<std::string> ProtobufToJson(const ProtobufSchema& schema, std::string_view message) {
  google::protobuf::DynamicMessageFactory factory;
  const std::unique_ptr<Message> parsed(factory.GetPrototype(schema.type)->New());
  if (!parsed->ParsePartialFromArray(message.data(), static_cast<int>(message.size()))) {
    return absl::DataLossError(absl::StrFormat("the message's %d bytes are no %s", message.size(),
                                               schema.type->full_name()));
  }
  DescribedWriter writer;
  writer.Write(*parsed);
  return std::move(writer.json()).Finish();
}

absl::StatusOr<std::vector<FieldName>> ProtobufFields(const ProtobufSchema& schema) {
  Lister lister;
  RETURN_IF_ERROR(lister.Add(*schema.type, ""));
  return std::move(lister).fields();
}

}  // namespace gatekeeper::ingest
