#include "agent/base/yaml_document.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/nearest_name.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_shape.h"
#include "yaml-cpp/yaml.h"

namespace agent::base {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kMaxText = 1 << 20;

// "max_age" beside the known "max_age_ms": the commonest mistake gets its own sentence.
std::string Advice(const std::string& key, const Descriptor& type) {
  std::vector<std::string> known;
  for (int i = 0; i < type.field_count(); ++i) {
    known.push_back(type.field(i)->name());
    if (known.back().rfind(key + "_", 0) == 0) {
      return absl::StrFormat("; its unit belongs in the key: '%s'", known.back());
    }
  }
  const std::string nearest = NearestName(key, known);
  if (!nearest.empty()) return absl::StrFormat("; did you mean '%s'?", nearest);
  return "; known here: " + absl::StrJoin(known, ", ");
}

std::string Join(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

bool IsNumber(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return !field.is_repeated();
    default:
      return false;
  }
}

bool AllNumbers(const Descriptor& type) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (!IsNumber(*type.field(i))) return false;
  }
  return type.field_count() > 0;
}

class Reader {
 public:
  explicit Reader(SourceMap& map) : map_(map) {}

  absl::Status ReadMessage(const YAML::Node& node, const std::string& path, Message& message,
                           int depth) {
    Note(path, node);
    if (depth > kMaxYamlDepth) return Wrong(node, path, "is nested too deeply");
    const Descriptor& type = *message.GetDescriptor();
    if (node.IsSequence() && AllNumbers(type)) return ReadTuple(node, path, message);
    if (!node.IsMap()) return Wrong(node, path, "must be a mapping of keys to values");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      ASSIGN_OR_RETURN(const std::string key, Key(entry.first, seen));
      const FieldDescriptor* field = type.FindFieldByName(key);
      if (field == nullptr) {
        return Wrong(entry.first, "",
                     absl::StrFormat("unknown key '%s'%s", key, Advice(key, type)));
      }
      RETURN_IF_ERROR(ReadField(entry.second, Join(path, key), *field, message, depth));
      // A key points at itself in messages about its value, even when the value starts a line
      // later.
      Note(Join(path, key), entry.first);
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<std::string> Key(const YAML::Node& node, std::set<std::string>& seen) {
    if (!node.IsScalar()) return Wrong(node, "", "a key must be a plain word");
    const std::string& key = node.Scalar();
    if (!seen.insert(key).second) {
      return Wrong(node, "", absl::StrFormat("key '%s' is given twice", key));
    }
    return key;
  }

  absl::Status ReadTuple(const YAML::Node& node, const std::string& path, Message& message) {
    const Descriptor& type = *message.GetDescriptor();
    if (node.size() != static_cast<size_t>(type.field_count())) {
      return Wrong(
          node, path,
          absl::StrFormat("must have %d numbers, has %d", type.field_count(), node.size()));
    }
    for (int i = 0; i < type.field_count(); ++i) {
      const std::string here = absl::StrFormat("%s[%d]", path, i);
      RETURN_IF_ERROR(ReadScalar(node[i], here, *type.field(i), message));
    }
    return absl::OkStatus();
  }

  absl::Status ReadField(const YAML::Node& node, const std::string& path,
                         const FieldDescriptor& field, Message& message, int depth) {
    if (field.is_map()) return ReadMap(node, path, field, message, depth);
    if (field.is_repeated()) return ReadList(node, path, field, message, depth);
    return ReadOne(node, path, field, message, depth);
  }

  absl::Status ReadList(const YAML::Node& node, const std::string& path,
                        const FieldDescriptor& field, Message& message, int depth) {
    if (!node.IsSequence()) return Wrong(node, path, "must be a list");
    Note(path, node);
    for (size_t i = 0; i < node.size(); ++i) {
      RETURN_IF_ERROR(ReadOne(node[i], absl::StrFormat("%s[%d]", path, i), field, message, depth));
    }
    return absl::OkStatus();
  }

  absl::Status ReadMap(const YAML::Node& node, const std::string& path,
                       const FieldDescriptor& field, Message& message, int depth) {
    if (!node.IsMap()) return Wrong(node, path, "must be a mapping of names to values");
    Note(path, node);
    std::set<std::string> seen;
    for (const auto& entry : node) {
      ASSIGN_OR_RETURN(const std::string key, Key(entry.first, seen));
      Message& pair = *message.GetReflection()->AddMessage(&message, &field);
      const Descriptor& type = *pair.GetDescriptor();
      pair.GetReflection()->SetString(&pair, type.map_key(), key);
      RETURN_IF_ERROR(ReadOne(entry.second, Join(path, key), *type.map_value(), pair, depth));
      Note(Join(path, key), entry.first);
    }
    return absl::OkStatus();
  }

  absl::Status ReadOne(const YAML::Node& node, const std::string& path,
                       const FieldDescriptor& field, Message& message, int depth) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return ReadScalar(node, path, field, message);
    }
    const Reflection& reflection = *message.GetReflection();
    Message& child = field.is_repeated() ? *reflection.AddMessage(&message, &field)
                                         : *reflection.MutableMessage(&message, &field);
    return ReadMessage(node, path, child, depth + 1);
  }

  absl::Status ReadScalar(const YAML::Node& node, const std::string& path,
                          const FieldDescriptor& field, Message& message) {
    Note(path, node);
    if (!node.IsScalar()) return Wrong(node, path, "must be a single value");
    const bool quoted = node.Tag() == "!";
    if (!quoted && node.Tag() != "?") return Wrong(node, path, "YAML tags are not used here");
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        Put<&Reflection::SetString, &Reflection::AddString>(message, field, node.Scalar());
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        double value = 0;
        if (quoted || !absl::SimpleAtod(node.Scalar(), &value) || !std::isfinite(value)) {
          return Wrong(node, path, NotA("a finite number", node));
        }
        Put<&Reflection::SetDouble, &Reflection::AddDouble>(message, field, value);
        return absl::OkStatus();
      }
      case FieldDescriptor::CPPTYPE_UINT32:
      case FieldDescriptor::CPPTYPE_UINT64: {
        ASSIGN_OR_RETURN(const uint64_t value, Whole(node, path, field, quoted));
        if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
          Put<&Reflection::SetUInt32, &Reflection::AddUInt32>(message, field,
                                                              static_cast<uint32_t>(value));
        } else {
          Put<&Reflection::SetUInt64, &Reflection::AddUInt64>(message, field, value);
        }
        return absl::OkStatus();
      }
      case FieldDescriptor::CPPTYPE_BOOL: {
        const std::string& text = node.Scalar();
        if (quoted || (text != "true" && text != "false")) {
          return Wrong(node, path, NotA("true or false", node));
        }
        Put<&Reflection::SetBool, &Reflection::AddBool>(message, field, text == "true");
        return absl::OkStatus();
      }
      default:
        return Wrong(node, path, "is of a type that files cannot hold");
    }
  }

  absl::StatusOr<uint64_t> Whole(const YAML::Node& node, const std::string& path,
                                 const FieldDescriptor& field, bool quoted) {
    const uint64_t top = field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32
                             ? std::numeric_limits<uint32_t>::max()
                             : std::numeric_limits<uint64_t>::max();
    uint64_t value = 0;
    if (quoted || !absl::SimpleAtoi(node.Scalar(), &value) || value > top) {
      return Wrong(node, path, NotA("a whole number, 0 or more", node));
    }
    return value;
  }

  template <auto Set, auto Add, class T>
  static void Put(Message& message, const FieldDescriptor& field, const T& value) {
    const Reflection& reflection = *message.GetReflection();
    if (field.is_repeated()) {
      (reflection.*Add)(&message, &field, value);
    } else {
      (reflection.*Set)(&message, &field, value);
    }
  }

  static std::string NotA(const char* wanted, const YAML::Node& node) {
    return absl::StrFormat("must be %s, is '%s'", wanted, node.Scalar());
  }

  void Note(const std::string& path, const YAML::Node& node) {
    map_.Note(path, node.Mark().line + 1, node.Mark().column + 1);
  }

  absl::Status Wrong(const YAML::Node& node, const std::string& path,
                     const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrFormat("%s:%d:%d: %s%s%s", map_.file(),
                                                      node.Mark().line + 1, node.Mark().column + 1,
                                                      path, path.empty() ? "" : " ", what));
  }

  SourceMap& map_;
};

absl::Status CheckSchema(const SourceMap& map, std::string_view wanted, const Message& message) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName("schema");
  const std::string found =
      field == nullptr ? "" : message.GetReflection()->GetString(message, field);
  if (found == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: schema must be '%s', is '%s'", map.Locate("schema"), std::string(wanted), found));
}

}  // namespace

std::string SourceMap::Locate(std::string_view path) const {
  std::string_view here = path;
  while (true) {
    const auto found = at_.find(here);
    if (found != at_.end()) {
      return absl::StrFormat("%s:%d:%d", file_, found->second.first, found->second.second);
    }
    const size_t cut = here.find_last_of(".[");
    if (cut == std::string_view::npos) return file_ + ":1:1";
    here = here.substr(0, cut);
  }
}

int SourceMap::Line(std::string_view path) const {
  std::string_view here = path;
  while (true) {
    const auto found = at_.find(here);
    if (found != at_.end()) return found->second.first;
    const size_t cut = here.find_last_of(".[");
    if (cut == std::string_view::npos) return 0;
    here = here.substr(0, cut);
  }
}

absl::StatusOr<SourceMap> ReadYaml(std::string_view text, const std::string& file,
                                   std::string_view wanted_schema, Message& message) {
  message.Clear();
  if (text.size() > kMaxText) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: has %d bytes; at most %d are read", file, text.size(), kMaxText));
  }
  const std::string owned(text);
  RETURN_IF_ERROR(CheckYamlShape(owned, file));
  SourceMap map(file);
  try {
    const YAML::Node root = YAML::Load(owned);
    Reader reader(map);
    RETURN_IF_ERROR(reader.ReadMessage(root, "", message, 0));
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s:%d:%d: %s", file, e.mark.line + 1, e.mark.column + 1, e.msg));
  }
  RETURN_IF_ERROR(CheckSchema(map, wanted_schema, message));
  return map;
}

}  // namespace agent::base
