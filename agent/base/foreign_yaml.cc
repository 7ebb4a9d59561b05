#include "agent/base/foreign_yaml.h"

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_shape.h"
#include "yaml-cpp/yaml.h"

namespace agent::base {
namespace {

using nlohmann::json;

constexpr size_t kMostText = 16 << 20;

// Throws what yaml-cpp throws; the shape of the document was checked before.
json Convert(const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  if (node.IsSequence()) {
    json list = json::array();
    for (const YAML::Node& item : node) list.push_back(Convert(item));
    return list;
  }
  if (!node.IsMap()) return nullptr;
  json object = json::object();
  for (const auto& entry : node) {
    const std::string& key = entry.first.Scalar();
    if (object.contains(key)) throw YAML::ParserException(entry.first.Mark(), "a repeated key");
    object[key] = Convert(entry.second);
  }
  return object;
}

}  // namespace

absl::StatusOr<json> ReadForeignYaml(std::string_view text, const std::string& file) {
  if (text.size() > kMostText)
    return absl::ResourceExhaustedError(
        absl::StrFormat("%s is larger than the %d bytes allowed", file, kMostText));
  const std::string bytes(text);
  RETURN_IF_ERROR(CheckYamlShape(bytes, file));
  try {
    return Convert(YAML::Load(bytes));
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s:%d:%d: %s", file, e.mark.line + 1, e.mark.column + 1, e.msg));
  }
}

}  // namespace agent::base
