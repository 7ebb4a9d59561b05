#include "gatekeeper/ingest/ulog_formats.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::ingest {
namespace {

constexpr int kMostDepth = 16;  // of types within types; PX4 uses 2
constexpr uint64_t kMostTypeBytes = 1 << 20;
constexpr size_t kMostTopicSchemaBytes = 1 << 20;
constexpr size_t kMostFormats = 8192;  // PX4 has some 250

uint64_t PrimitiveSize(std::string_view type) {
  static const std::map<std::string_view, uint64_t> sizes = {
      {"int8_t", 1},  {"uint8_t", 1},  {"int16_t", 2}, {"uint16_t", 2},
      {"int32_t", 4}, {"uint32_t", 4}, {"int64_t", 8}, {"uint64_t", 8},
      {"float", 4},   {"double", 8},   {"bool", 1},    {"char", 1}};
  const auto found = sizes.find(type);
  return found == sizes.end() ? 0 : found->second;
}

absl::Status Odd(std::string_view text) {
  return absl::DataLossError(
      absl::StrFormat("\"%.80s\" is no field of a format (type name, or type[n] name)", text));
}

}  // namespace

absl::StatusOr<UlogFormats::Field> UlogFormats::ParseField(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || space == 0 || space + 1 == text.size()) return Odd(text);
  Field field{.type = std::string(text.substr(0, space)),
              .name = std::string(text.substr(space + 1))};
  const size_t bracket = field.type.find('[');
  if (bracket == std::string::npos) return field;
  const std::string count = field.type.substr(bracket + 1);
  uint32_t number = 0;
  if (!count.ends_with(']') || !absl::SimpleAtoi(count.substr(0, count.size() - 1), &number))
    return Odd(text);
  field.count = number;
  field.type.resize(bracket);
  return field;
}

absl::Status UlogFormats::Add(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || text.find('\n') != std::string_view::npos)
    return Odd(text);
  Format format{.text = std::string(text), .fields = {}};
  std::string_view rest = text.substr(colon + 1);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(';'), rest.size());
    ASSIGN_OR_RETURN(Field field, ParseField(rest.substr(0, end)));
    format.fields.push_back(std::move(field));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const std::string name(text.substr(0, colon));
  if (formats_.size() >= kMostFormats)
    return absl::ResourceExhaustedError(absl::StrCat("more than ", kMostFormats, " formats"));
  const auto [at, added] = formats_.emplace(name, format);
  if (!added && at->second.text != text)
    return absl::DataLossError(absl::StrFormat("format %.80s is defined twice, differently", name));
  return absl::OkStatus();
}

// `used` collects the types that were met, each once, in order.
absl::StatusOr<uint64_t> UlogFormats::SizeOf(const std::string& type, int depth,
                                             std::vector<std::string>& used) const {
  if (const uint64_t size = PrimitiveSize(type); size > 0) return size;
  const auto found = formats_.find(type);
  if (found == formats_.end())
    return absl::DataLossError(absl::StrFormat("type %.80s is not defined", type));
  if (depth > kMostDepth)
    return absl::DataLossError(absl::StrFormat(
        "type %.80s contains itself, or types more than %d deep", type, kMostDepth));
  if (std::find(used.begin(), used.end(), type) == used.end()) used.push_back(type);
  uint64_t bytes = 0;
  for (const Field& field : found->second.fields) {
    ASSIGN_OR_RETURN(const uint64_t one, SizeOf(field.type, depth + 1, used));
    if (one > 0 && field.count > (kMostTypeBytes - bytes) / one)
      return absl::DataLossError(
          absl::StrFormat("type %.80s is larger than %d bytes", type, kMostTypeBytes));
    bytes += one * field.count;
  }
  return bytes;
}

absl::StatusOr<UlogFormats::Layout> UlogFormats::LayoutOf(const std::string& type) const {
  Layout layout;
  std::vector<std::string> used;
  ASSIGN_OR_RETURN(layout.bytes, SizeOf(type, 0, used));
  if (used.empty()) return absl::DataLossError(absl::StrCat("no message can be a ", type));
  for (const std::string& name : used) {
    absl::StrAppend(&layout.schema, formats_.at(name).text, "\n");
    if (layout.schema.size() > kMostTopicSchemaBytes)
      return absl::DataLossError(absl::StrFormat("type %.80s has too long a definition", type));
  }
  for (const Field& field : formats_.at(type).fields) {
    if (field.name == "timestamp" && field.type == "uint64_t" && field.count == 1) return layout;
    ASSIGN_OR_RETURN(const uint64_t one, SizeOf(field.type, 1, used));
    layout.stamp_offset += one * field.count;
  }
  return absl::DataLossError(absl::StrFormat("type %.80s has no field uint64_t timestamp", type));
}

}  // namespace gatekeeper::ingest
