#include "gatekeeper/bundle/flat_document.h"

#include <charconv>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "proto/policy.pb.h"

namespace gatekeeper::bundle {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string Join(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

std::string Scalar(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool list = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Number(list ? r.GetRepeatedDouble(message, &field, index)
                         : r.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(list ? r.GetRepeatedUInt32(message, &field, index)
                               : r.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(list ? r.GetRepeatedUInt64(message, &field, index)
                               : r.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return r.GetBool(message, &field) ? "true" : "false";
    default:
      return list ? r.GetRepeatedString(message, &field, index) : r.GetString(message, &field);
  }
}

std::string Text(const v1::Point& point) {
  return absl::StrCat("[", Number(point.x()), ", ", Number(point.y()), "]");
}

std::string PointList(const Message& message, const FieldDescriptor& field) {
  std::vector<std::string> points;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    points.push_back(Text(static_cast<const v1::Point&>(
        message.GetReflection()->GetRepeatedMessage(message, &field, i))));
  }
  return "[" + absl::StrJoin(points, ", ") + "]";
}

std::string StringOf(const Message& element, const char* name) {
  const FieldDescriptor* field = element.GetDescriptor()->FindFieldByName(name);
  return field == nullptr ? "" : element.GetReflection()->GetString(element, field);
}

std::string ElementName(const Message& element, const FieldDescriptor& list, int index,
                        const Flat& flat, const std::string& path) {
  if (list.is_map()) {
    return element.GetReflection()->GetString(element, element.GetDescriptor()->map_key());
  }
  if (const std::string id = StringOf(element, "id"); !id.empty()) return id;
  const std::string signal = StringOf(element, "signal");  // one signal may have several rules
  if (!signal.empty() && !flat.contains(Join(path, signal))) return signal;
  return absl::StrCat(index);
}

void Walk(const Message& message, const std::string& path, Flat& flat);

void WalkMessages(const Message& message, const FieldDescriptor& field, const std::string& path,
                  Flat& flat) {
  const Reflection& r = *message.GetReflection();
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    const Message& element = r.GetRepeatedMessage(message, &field, i);
    const std::string here = Join(path, ElementName(element, field, i, flat, path));
    flat[here] = "present";
    if (!field.is_map()) {
      Walk(element, here, flat);
    } else if (const FieldDescriptor* value = field.message_type()->map_value();
               value->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Walk(element.GetReflection()->GetMessage(element, value), here, flat);
    }
  }
}

void WalkList(const Message& message, const FieldDescriptor& field, const std::string& path,
              Flat& flat) {
  const int size = message.GetReflection()->FieldSize(message, &field);
  if (size == 0) return;
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    std::vector<std::string> values;
    for (int i = 0; i < size; ++i) values.push_back(Scalar(message, field, i));
    flat[path] = "[" + absl::StrJoin(values, ", ") + "]";
  } else if (field.message_type() == v1::Point::descriptor()) {
    flat[path] = PointList(message, field);
  } else {
    WalkMessages(message, field, path, flat);
  }
}

void WalkOne(const Message& message, const FieldDescriptor& field, const std::string& path,
             Flat& flat) {
  const Reflection& r = *message.GetReflection();
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    const bool word = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    const bool always = !field.has_presence() && !word;
    if (always || r.HasField(message, &field)) flat[path] = Scalar(message, field, -1);
    return;
  }
  if (!r.HasField(message, &field)) return;
  const Message& part = r.GetMessage(message, &field);
  if (part.GetDescriptor() == v1::Circle::descriptor()) {
    const auto& circle = static_cast<const v1::Circle&>(part);
    flat[path] = absl::StrCat("{c: ", Text(circle.c()), ", r: ", Number(circle.r()), "}");
    return;
  }
  flat[path] = "present";
  Walk(part, path, flat);
}

void Walk(const Message& message, const std::string& path, Flat& flat) {
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string here = Join(path, field.name());
    if (field.is_repeated()) {
      WalkList(message, field, here, flat);
    } else {
      WalkOne(message, field, here, flat);
    }
  }
}

}  // namespace

std::string Number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end.ptr);
}

Flat Flatten(const google::protobuf::Message& document) {
  Flat flat;
  Walk(document, "", flat);
  return flat;
}

}  // namespace gatekeeper::bundle
