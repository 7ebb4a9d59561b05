#include "gatekeeper/bundle/flat_document.h"

#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "proto/policy.pb.h"

namespace gatekeeper::bundle {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Flat = std::map<std::string, std::string>;

std::string Join(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

std::string Scalar(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool list = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrFormat(
          "%g", list ? r.GetRepeatedDouble(message, &field, index) : r.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrFormat(
          "%d", list ? r.GetRepeatedUInt32(message, &field, index) : r.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrFormat(
          "%d", list ? r.GetRepeatedUInt64(message, &field, index) : r.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return r.GetBool(message, &field) ? "true" : "false";
    default:
      return list ? r.GetRepeatedString(message, &field, index) : r.GetString(message, &field);
  }
}

std::string PointList(const Message& message, const FieldDescriptor& field) {
  std::vector<std::string> points;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    const auto& point = static_cast<const v1::Point&>(
        message.GetReflection()->GetRepeatedMessage(message, &field, i));
    points.push_back(absl::StrFormat("[%g, %g]", point.x(), point.y()));
  }
  return "[" + absl::StrJoin(points, ", ") + "]";
}

std::string ElementName(const Message& element, const FieldDescriptor& list, int index) {
  if (list.is_map()) {
    const FieldDescriptor* key = element.GetDescriptor()->map_key();
    return element.GetReflection()->GetString(element, key);
  }
  const FieldDescriptor* id = element.GetDescriptor()->FindFieldByName("id");
  if (id == nullptr) return absl::StrFormat("%d", index);
  return element.GetReflection()->GetString(element, id);
}

void Walk(const Message& message, const std::string& path, Flat& flat);

void WalkList(const Message& message, const FieldDescriptor& field, const std::string& path,
              Flat& flat) {
  const Reflection& r = *message.GetReflection();
  if (field.message_type() == v1::Point::descriptor()) {
    flat[path] = PointList(message, field);
    return;
  }
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      flat[absl::StrFormat("%s[%d]", path, i)] = Scalar(message, field, i);
      continue;
    }
    const Message& element = r.GetRepeatedMessage(message, &field, i);
    const std::string here = Join(path, ElementName(element, field, i));
    flat[here] = "present";
    if (!field.is_map()) {
      Walk(element, here, flat);
    } else if (const FieldDescriptor* value = field.message_type()->map_value();
               value->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Walk(element.GetReflection()->GetMessage(element, value), here, flat);
    }
  }
}

void Walk(const Message& message, const std::string& path, Flat& flat) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string here = Join(path, field->name());
    if (field->is_repeated()) {
      WalkList(message, *field, here, flat);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Walk(message.GetReflection()->GetMessage(message, field), here, flat);
    } else {
      flat[here] = Scalar(message, *field, -1);
    }
  }
}

}  // namespace

std::map<std::string, std::string> Flatten(const google::protobuf::Message& document) {
  Flat flat;
  Walk(document, "", flat);
  return flat;
}

}  // namespace gatekeeper::bundle
