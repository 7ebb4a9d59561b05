#include "gatekeeper/ingest/ulog_definition.h"

#include <charconv>
#include <map>
#include <string>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::ingest {
namespace {

constexpr size_t kMostTypesOfTopic = 4096;

constexpr NamedKind kUlogKinds[] = {
    {"int8_t", Kind::kInt8},     {"uint8_t", Kind::kUint8},   {"int16_t", Kind::kInt16},
    {"uint16_t", Kind::kUint16}, {"int32_t", Kind::kInt32},   {"uint32_t", Kind::kUint32},
    {"int64_t", Kind::kInt64},   {"uint64_t", Kind::kUint64}, {"float", Kind::kFloat32},
    {"double", Kind::kFloat64},  {"bool", Kind::kBool},       {"char", Kind::kCharacter},
};

absl::Status Wrong(std::string_view type, std::string_view field, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrFormat("ULog format %s, field '%s': %s", type, field, why));
}

using Names = std::map<std::string, size_t, std::less<>>;

absl::Status ReadType(std::string_view text, const Names& names, const MessageType& type,
                      Field& field) {
  if (const size_t open = text.find('['); open != text.npos) {
    const std::string_view size = text.substr(open + 1);
    const auto [stop, error] = std::from_chars(size.data(), size.data() + size.size(), field.count);
    if (error != std::errc() || field.count == 0 || stop + 1 != size.data() + size.size() ||
        *stop != ']') {
      return Wrong(type.name, field.name, "an array needs a size in brackets");
    }
    field.shape = Shape::kFixed;
    text = text.substr(0, open);
  }
  for (const NamedKind& primitive : kUlogKinds) {
    if (primitive.name != text) continue;
    field.kind = primitive.kind;
    return absl::OkStatus();
  }
  const auto inside = names.find(text);
  if (inside == names.end()) {
    return Wrong(type.name, field.name, absl::StrFormat("there is no type '%s'", text));
  }
  field.kind = Kind::kMessage;
  field.type = inside->second;
  return absl::OkStatus();
}

absl::Status ReadFields(std::string_view text, const Names& names, MessageType& type) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (part.empty()) continue;
    const size_t space = part.find(' ');
    if (space == part.npos || space + 1 == part.size()) {
      return Wrong(type.name, part, "wanted as 'type name'");
    }
    Field field{.name = std::string(part.substr(space + 1))};
    field.hidden = field.name.rfind("_padding", 0) == 0;
    RETURN_IF_ERROR(ReadType(part.substr(0, space), names, type, field));
    if (field.hidden && field.kind == Kind::kMessage) {
      return Wrong(type.name, field.name, "padding is made of bytes");
    }
    if (type.fields.size() >= kMostFieldsOfType) {
      return Wrong(type.name, field.name, "more than 4,096 fields");
    }
    type.fields.push_back(std::move(field));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TypeTree> ParseUlogDefinition(std::string_view type, std::string_view text) {
  if (text.size() > kMostDefinition) {
    return absl::ResourceExhaustedError("ULog formats of more than a MiB");
  }
  TypeTree tree;
  Names names;
  std::vector<std::string_view> fields;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t colon = line.find(':');
    if (line.empty()) continue;
    if (colon == line.npos) {
      return absl::InvalidArgumentError(absl::StrFormat("ULog format without ':' in '%s'", line));
    }
    if (names.size() >= kMostTypesOfTopic) {
      return absl::ResourceExhaustedError("more than 4,096 ULog formats");
    }
    const std::string name(line.substr(0, colon));
    if (!names.emplace(name, tree.types.size()).second) {
      return absl::InvalidArgumentError(absl::StrFormat("two ULog formats named '%s'", name));
    }
    tree.types.push_back({.name = name, .fields = {}});
    fields.push_back(line.substr(colon + 1));
  }
  const auto root = names.find(type);
  if (root == names.end()) {
    return absl::InvalidArgumentError(absl::StrFormat("there is no ULog format '%s'", type));
  }
  tree.root = root->second;
  for (size_t i = 0; i < fields.size(); ++i) {
    RETURN_IF_ERROR(ReadFields(fields[i], names, tree.types[i]));
  }
  RETURN_IF_ERROR(CheckTypes(tree));
  return tree;
}

}  // namespace gatekeeper::ingest
