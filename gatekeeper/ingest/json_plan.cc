#include "gatekeeper/ingest/json_plan.h"

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "gatekeeper/ingest/field_path.h"

namespace gatekeeper::ingest {
namespace {

using nlohmann::json;

absl::StatusOr<json> ParseSchema(std::string_view type, std::string_view schema) {
  if (schema.empty()) return json::object();
  return agent::base::ParseStrictJson(schema, absl::StrFormat("JSON schema of %s", type));
}

const json* Member(const json& object, const std::string& name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

absl::Status CheckPath(const json& schema, std::string_view type, const std::string& path,
                       const std::vector<PathPart>& parts) {
  const json* at = &schema;
  for (const PathPart& part : parts) {
    const json* properties = at == nullptr ? nullptr : Member(*at, "properties");
    if (properties == nullptr || !properties->is_object()) return absl::OkStatus();
    at = Member(*properties, part.name);
    if (at == nullptr) {
      std::vector<std::string> known;
      for (const auto& item : properties->items()) known.push_back(item.key());
      return NoSuchField(path, part.name, type, known);
    }
    if (part.index) at = Member(*at, "items");
  }
  return absl::OkStatus();
}

// {"sec": 1, "nsec": 5}, and with ROS 2's name for the latter.
bool ReadMoment(const json& object, FieldValue& value) {
  const json* seconds = Member(object, "sec");
  const json* nanoseconds = Member(object, "nsec");
  if (nanoseconds == nullptr) nanoseconds = Member(object, "nanosec");
  if (seconds == nullptr || nanoseconds == nullptr || !seconds->is_number_integer() ||
      !nanoseconds->is_number_integer()) {
    return false;
  }
  value.number = seconds->get<double>() + nanoseconds->get<double>() * 1e-9;
  return !__builtin_mul_overflow(seconds->get<int64_t>(), kSecondNs, &value.integer) &&
         !__builtin_add_overflow(value.integer, nanoseconds->get<int64_t>(), &value.integer);
}

bool ReadArray(const json& array, FieldValue& value) {
  for (const json& place : array) {
    if (!place.is_number() && !place.is_boolean()) return false;
    value.numbers.push_back(place.is_boolean() ? (place.get<bool>() ? 1 : 0) : place.get<double>());
  }
  return true;
}

// Whether the place holds a value at all; objects and mixed arrays are none.
bool ReadValue(const json& found, FieldValue& value) {
  if (found.is_array()) return ReadArray(found, value);
  if (found.is_object()) return ReadMoment(found, value);
  if (found.is_string()) {
    value.unescaped = found.get<std::string>();
    value.text = value.unescaped;
    return true;
  }
  if (found.is_boolean()) {
    value.integer = found.get<bool>() ? 1 : 0;
    value.number = static_cast<double>(value.integer);
    return true;
  }
  if (!found.is_number()) return false;
  value.number = found.get<double>();
  if (found.is_number_integer()) value.integer = found.get<int64_t>();
  return true;
}

class JsonPlan final : public FieldPlan {
 public:
  JsonPlan(std::vector<std::vector<PathPart>> paths) : paths_(std::move(paths)) {}

  absl::Status Read(std::string_view message, std::vector<FieldValue>& values) const override {
    Clear(paths_.size(), values);
    const absl::StatusOr<json> parsed = agent::base::ParseStrictJson(message, "the message");
    if (!parsed.ok()) return absl::DataLossError(parsed.status().message());
    for (size_t slot = 0; slot < paths_.size(); ++slot) {
      const json* at = &*parsed;
      for (const PathPart& part : paths_[slot]) {
        at = Member(*at, part.name);
        if (at != nullptr && part.index) {
          at = at->is_array() && *part.index < at->size() ? &(*at)[*part.index] : nullptr;
        }
        if (at == nullptr) break;
      }
      values[slot].present = at != nullptr && ReadValue(*at, values[slot]);
    }
    return absl::OkStatus();
  }

 private:
  std::vector<std::vector<PathPart>> paths_;
};

void AddFields(const json& schema, const std::string& prefix, std::vector<FieldName>& fields) {
  const json* properties = Member(schema, "properties");
  if (properties == nullptr || !properties->is_object()) return;
  for (const auto& item : properties->items()) {
    const json* named = Member(item.value(), "type");
    const std::string type =
        named != nullptr && named->is_string() ? named->get<std::string>() : "any";
    fields.push_back({prefix + item.key(), type});
    AddFields(item.value(), prefix + item.key() + ".", fields);
    const json* items = Member(item.value(), "items");
    if (items != nullptr) AddFields(*items, prefix + item.key() + "[].", fields);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<FieldPlan>> CompileJsonPlan(std::string_view type,
                                                           std::string_view schema,
                                                           const std::vector<std::string>& paths) {
  ASSIGN_OR_RETURN(const json parsed, ParseSchema(type, schema));
  std::vector<std::vector<PathPart>> ways;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(std::vector<PathPart> parts, ParsePath(path));
    RETURN_IF_ERROR(CheckPath(parsed, type, path, parts));
    ways.push_back(std::move(parts));
  }
  return std::make_unique<JsonPlan>(std::move(ways));
}

absl::StatusOr<std::vector<FieldName>> JsonFields(std::string_view type, std::string_view schema) {
  ASSIGN_OR_RETURN(const json parsed, ParseSchema(type, schema));
  std::vector<FieldName> fields;
  AddFields(parsed, "", fields);
  return fields;
}

absl::StatusOr<std::string> JsonToJson(std::string_view message) {
  const absl::StatusOr<json> parsed = agent::base::ParseStrictJson(message, "the message");
  if (!parsed.ok()) return absl::DataLossError(parsed.status().message());
  return parsed->dump();
}

}  // namespace gatekeeper::ingest
