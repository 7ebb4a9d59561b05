#include "gatekeeper/ingest/ros_definition.h"

#include <charconv>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/common_types.h"

namespace gatekeeper::ingest {
namespace {

constexpr size_t kMostTypes = 1024;

constexpr std::string_view kBlank = " \t\r";

std::string_view Trim(std::string_view text) {
  const size_t from = text.find_first_not_of(kBlank);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlank) - from + 1);
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// package/Type of package/msg/Type; ROS 2 writes both.
std::string ShortName(std::string_view name) {
  const size_t first = name.find('/');
  const size_t last = name.rfind('/');
  if (first == last || name.substr(first, last - first) != "/msg") return std::string(name);
  return std::string(name.substr(0, first)) + std::string(name.substr(last));
}

struct Section {
  std::string_view text;
  size_t line = 1;  // of the whole text, where this one begins
};
using Sections = std::map<std::string, Section, std::less<>>;

// Splits the text at the lines of "=", takes what stands before the first as `root`.
absl::StatusOr<Sections> Split(std::string_view text, const std::string& root) {
  Sections sections;
  std::string name = root;
  Section open{.text = {}, .line = 1};
  size_t begin = 0;
  size_t line = 0;
  bool expects_name = false;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view content = Trim(text.substr(at, end - at));
    ++line;
    const bool rule = content.size() >= 3 && content.find_first_not_of('=') == content.npos;
    if (rule && !expects_name) {
      open.text = text.substr(begin, at - begin);
      if (!name.empty()) sections.emplace(name, open);
      expects_name = true;
    } else if (expects_name && !content.empty() && content.front() != '#') {
      if (content.substr(0, 4) != "MSG:") {
        return absl::InvalidArgumentError(
            absl::StrFormat("message definition of %s, line %d: '%s' where 'MSG: package/Type' "
                            "must follow the line "
                            "of '='",
                            root, line, content));
      }
      name = ShortName(Trim(content.substr(4)));
      begin = std::min(end + 1, text.size());
      open.line = line + 1;
      expects_name = false;
      if (sections.size() >= kMostTypes) {
        return absl::ResourceExhaustedError("message definition of more than 1,024 types");
      }
    }
    at = end + 1;
  }
  if (!expects_name && !name.empty()) {
    open.text = text.substr(begin);
    sections.emplace(name, open);
  }
  return sections;
}

constexpr NamedKind kRosKinds[] = {
    {"bool", Kind::kBool},       {"int8", Kind::kInt8},       {"uint8", Kind::kUint8},
    {"int16", Kind::kInt16},     {"uint16", Kind::kUint16},   {"int32", Kind::kInt32},
    {"uint32", Kind::kUint32},   {"int64", Kind::kInt64},     {"uint64", Kind::kUint64},
    {"float32", Kind::kFloat32}, {"float64", Kind::kFloat64}, {"string", Kind::kString},
    {"wstring", Kind::kWstring}, {"char", Kind::kUint8},
};

class Parser {
 public:
  Parser(Sections sections, Sections common, Wire wire)
      : sections_(std::move(sections)), common_(std::move(common)), wire_(wire) {}

  absl::StatusOr<TypeTree> Parse(const std::string& root) {
    ASSIGN_OR_RETURN(tree_.root, TypeNamed(root));
    // Types are added to the end as fields name them.
    for (size_t i = 0; i < tree_.types.size(); ++i) RETURN_IF_ERROR(ReadFields(i));
    RETURN_IF_ERROR(CheckTypes(tree_));
    return std::move(tree_);
  }

 private:
  absl::Status Wrong(std::string_view why) const {
    return absl::InvalidArgumentError(
        absl::StrFormat("message definition of %s, line %d: %s", type_, line_, why));
  }

  absl::StatusOr<size_t> TypeNamed(const std::string& name) {
    if (const auto known = ids_.find(name); known != ids_.end()) return known->second;
    const bool moment1 = wire_ == Wire::kRos1 && (name == "time" || name == "duration");
    if (!moment1 && sections_.count(name) == 0 && common_.count(name) == 0) {
      return absl::NotFoundError(absl::StrFormat("there is no definition of %s", name));
    }
    if (tree_.types.size() >= kMostTypes) {
      return absl::ResourceExhaustedError("message definition of more than 1,024 types");
    }
    tree_.types.push_back({.name = name, .fields = {}});
    ids_[name] = tree_.types.size() - 1;
    return tree_.types.size() - 1;
  }

  absl::Status ReadFields(size_t index) {
    type_ = tree_.types[index].name;
    if (type_ == "time" || type_ == "builtin_interfaces/Time") {
      tree_.types[index].moment = Moment::kTime;
    } else if (type_ == "duration" || type_ == "builtin_interfaces/Duration") {
      tree_.types[index].moment = Moment::kDuration;
    }
    if (wire_ == Wire::kRos1 && tree_.types[index].moment != Moment::kNone) {
      const Kind kind = tree_.types[index].moment == Moment::kTime ? Kind::kUint32 : Kind::kInt32;
      tree_.types[index].fields = {{.name = "sec", .kind = kind}, {.name = "nsec", .kind = kind}};
      return absl::OkStatus();
    }
    const auto own = sections_.find(type_);
    const Section section = own != sections_.end() ? own->second : common_.find(type_)->second;
    line_ = section.line;
    for (size_t at = 0; at < section.text.size(); ++line_) {
      const size_t end = std::min(section.text.find('\n', at), section.text.size());
      RETURN_IF_ERROR(ReadLine(index, Trim(section.text.substr(at, end - at))));
      at = end + 1;
    }
    std::vector<Field>& fields = tree_.types[index].fields;
    // C++ and IDL know no structure without members; DDS writes one byte.
    if (fields.empty() && wire_ == Wire::kCdr) {
      fields.push_back(
          {.name = "structure_needs_at_least_one_member", .kind = Kind::kUint8, .hidden = true});
    }
    if (tree_.types[index].moment != Moment::kNone && !IsMoment(fields)) {
      tree_.types[index].moment = Moment::kNone;
    }
    return absl::OkStatus();
  }

  static bool IsMoment(const std::vector<Field>& fields) {
    return fields.size() == 2 && fields[0].kind == Kind::kInt32 &&
           fields[1].kind == Kind::kUint32 && fields[0].shape == Shape::kOne &&
           fields[1].shape == Shape::kOne;
  }

  // type name | type name default | type NAME = value | # comment
  absl::Status ReadLine(size_t index, std::string_view line) {
    if (line.empty() || line.front() == '#') return absl::OkStatus();
    if (line == "---") {
      return absl::UnimplementedError(
          absl::StrFormat("%s is a service; only messages are read", type_));
    }
    const size_t end = line.find_first_of(" \t");
    if (end == line.npos) return Wrong(absl::StrFormat("'%s' has no name", line));
    const std::string_view type = line.substr(0, end);
    std::string_view rest = Trim(line.substr(end));
    size_t length = 0;
    while (length < rest.size() && IsNameCharacter(rest[length])) ++length;
    Field field{.name = std::string(rest.substr(0, length))};
    rest = Trim(rest.substr(length));
    if (field.name.empty()) return Wrong("a field without a name");
    if (!rest.empty() && rest.front() == '=') return absl::OkStatus();  // a constant
    RETURN_IF_ERROR(ReadType(type, field));
    for (const Field& other : tree_.types[index].fields) {
      if (other.name == field.name) return Wrong(absl::StrFormat("second '%s'", field.name));
    }
    if (tree_.types[index].fields.size() >= kMostFieldsOfType)
      return Wrong("more than 4,096 fields");
    tree_.types[index].fields.push_back(std::move(field));
    return absl::OkStatus();
  }

  absl::StatusOr<uint32_t> Number(std::string_view digits) const {
    uint32_t number = 0;
    const auto [stop, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || stop != digits.data() + digits.size()) {
      return Wrong(absl::StrFormat("'%s' is no size", digits));
    }
    return number;
  }

  // float32, string<=10, Point[], float64[36], uint8[<=16]
  absl::Status ReadType(std::string_view text, Field& field) {
    if (text.back() == ']') {
      const size_t open = text.find('[');
      if (open == text.npos) return Wrong(absl::StrFormat("'%s' is no type", text));
      std::string_view size = text.substr(open + 1, text.size() - open - 2);
      text = text.substr(0, open);
      field.shape = Shape::kSequence;
      if (size.substr(0, 2) == "<=") {
        size.remove_prefix(2);
      } else if (!size.empty()) {
        field.shape = Shape::kFixed;
      }
      if (!size.empty()) {
        ASSIGN_OR_RETURN(field.count, Number(size));
        if (field.count == 0) return Wrong("an array of 0");
      }
    }
    if (const size_t bound = text.find("<="); bound != text.npos) {
      ASSIGN_OR_RETURN(field.text_bound, Number(text.substr(bound + 2)));
      text = text.substr(0, bound);
      if (text != "string" && text != "wstring") return Wrong("only strings have bounds");
    }
    if (text == "byte") {
      field.kind = wire_ == Wire::kRos1 ? Kind::kInt8 : Kind::kUint8;
      return absl::OkStatus();
    }
    for (const NamedKind& primitive : kRosKinds) {
      if (primitive.name != text) continue;
      field.kind = primitive.kind;
      return absl::OkStatus();
    }
    field.kind = Kind::kMessage;
    ASSIGN_OR_RETURN(field.type, TypeInside(text));
    return absl::OkStatus();
  }

  // A name without its package is of the package that it stands in.
  absl::StatusOr<size_t> TypeInside(std::string_view text) {
    if (text == "time" || text == "duration") {
      if (wire_ == Wire::kRos1) return TypeNamed(std::string(text));
      return TypeNamed(text == "time" ? "builtin_interfaces/Time" : "builtin_interfaces/Duration");
    }
    std::string name = ShortName(text);
    if (name.find('/') == name.npos) {
      const size_t slash = type_.find('/');
      const std::string own = slash == type_.npos ? name : type_.substr(0, slash + 1) + name;
      const bool header = name == "Header" && sections_.count(own) == 0;
      name = header ? "std_msgs/Header" : own;
    }
    const absl::StatusOr<size_t> found = TypeNamed(name);
    if (!found.ok() && found.status().code() == absl::StatusCode::kNotFound) {
      return Wrong(std::string(found.status().message()));
    }
    return found;
  }

  Sections sections_;
  Sections common_;
  Wire wire_;
  TypeTree tree_;
  std::map<std::string, size_t, std::less<>> ids_;
  std::string type_;  // being read
  size_t line_ = 0;
};

}  // namespace

absl::StatusOr<TypeTree> ParseRosDefinition(std::string_view type, std::string_view text,
                                            Wire wire) {
  if (text.size() > kMostDefinition) {
    return absl::ResourceExhaustedError("message definition of more than a MiB");
  }
  const std::string root = ShortName(type);
  ASSIGN_OR_RETURN(Sections sections, Split(text, root));
  Sections common;
  if (wire == Wire::kCdr) {
    ASSIGN_OR_RETURN(common, Split(CommonRosTypes(), ""));
  }
  if (Trim(text).empty() && root != "std_msgs/Empty") sections.clear();
  const absl::StatusOr<TypeTree> tree =
      Parser(std::move(sections), std::move(common), wire).Parse(root);
  if (tree.ok() || tree.status().code() != absl::StatusCode::kNotFound) return tree;
  return absl::InvalidArgumentError(absl::StrFormat(
      "the recording holds no definition of %s, and it is none of the common types", root));
}

}  // namespace gatekeeper::ingest
