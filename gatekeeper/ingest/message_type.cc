#include "gatekeeper/ingest/message_type.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/field_path.h"

namespace gatekeeper::ingest {
namespace {

constexpr int kDeepest = 32;
constexpr uint64_t kMostBytes = uint64_t{1} << 30;
constexpr uint64_t kLengthBytes = 4;  // of a string or a sequence

// Walks every type once, children first.
class Check {
 public:
  explicit Check(TypeTree& tree) : tree_(tree), sizes_(tree.types.size()) {}

  absl::Status Visit(size_t index, int depth) {
    Size& size = sizes_[index];
    MessageType& type = tree_.types[index];
    if (size.state == State::kDone) return absl::OkStatus();
    if (size.state == State::kOpen || depth > kDeepest) {
      return absl::InvalidArgumentError(
          absl::StrFormat("type %s %s", type.name,
                          size.state == State::kOpen ? "contains itself" : "nests deeper than 32"));
    }
    size.state = State::kOpen;
    for (const Field& field : type.fields) {
      if (field.kind == Kind::kMessage) RETURN_IF_ERROR(Visit(field.type, depth + 1));
      RETURN_IF_ERROR(Add(type, field, size));
    }
    size.state = State::kDone;
    type.least_bytes = size.bytes;
    return absl::OkStatus();
  }

 private:
  enum class State { kNew, kOpen, kDone };
  struct Size {
    State state = State::kNew;
    uint64_t fields = 0;
    uint64_t bytes = 0;
    int height = 0;
  };

  absl::Status Add(const MessageType& type, const Field& field, Size& size) const {
    Size one{.fields = 1, .bytes = SizeOf(field.kind) == 0 ? kLengthBytes : SizeOf(field.kind)};
    if (field.kind == Kind::kMessage) {
      one = sizes_[field.type];
      size.height = std::max(size.height, one.height + 1);
      if (field.shape != Shape::kOne && one.bytes == 0) {
        return absl::InvalidArgumentError(
            absl::StrFormat("%s.%s is an array of %s, which has no bytes", type.name, field.name,
                            tree_.types[field.type].name));
      }
    }
    // An array of numbers is one field, however long; an array of messages is read one by one.
    const bool unfolds =
        field.kind == Kind::kMessage || field.kind == Kind::kString || field.kind == Kind::kWstring;
    const uint64_t count = field.shape == Shape::kFixed ? field.count : 1;
    size.fields += 1 + one.fields * (unfolds ? count : 1);
    size.bytes += field.shape == Shape::kSequence ? kLengthBytes : one.bytes * count;
    if (size.height > kDeepest) {
      return absl::InvalidArgumentError(absl::StrFormat("type %s nests deeper than 32", type.name));
    }
    if (size.fields > kMostFields || size.bytes > kMostBytes) {
      return absl::ResourceExhaustedError(absl::StrFormat(
          "type %s unfolds into more than 65,536 fields or a GiB at %s", type.name, field.name));
    }
    return absl::OkStatus();
  }

  TypeTree& tree_;
  std::vector<Size> sizes_;
};

std::string ShapeText(const Field& field) {
  switch (field.shape) {
    case Shape::kOne:
      return "";
    case Shape::kFixed:
      return absl::StrFormat("[%d]", field.count);
    case Shape::kSequence:
      break;
  }
  return field.count == 0 ? "[]" : absl::StrFormat("[<=%d]", field.count);
}

// Follows one path down.
class Resolver {
 public:
  Resolver(const TypeTree& tree, std::string_view path) : tree_(tree), path_(path) {}

  absl::Status Resolve(Want& root, size_t slot) const {
    ASSIGN_OR_RETURN(const std::vector<PathPart> parts, ParsePath(path_));
    Want* want = &root;
    const MessageType* type = &tree_.types[tree_.root];
    for (size_t i = 0; i < parts.size(); ++i) {
      ASSIGN_OR_RETURN(const size_t at, FieldAt(*type, parts[i].name));
      const Field& field = type->fields[at];
      want = &want->Make(static_cast<uint32_t>(at));
      if (parts[i].index) {
        RETURN_IF_ERROR(CheckIndex(field, *parts[i].index));
        want = &want->Make(*parts[i].index);
      }
      const bool one = field.shape == Shape::kOne || parts[i].index.has_value();
      if (i + 1 == parts.size()) {
        RETURN_IF_ERROR(CheckLast(field, one));
        break;
      }
      if (field.kind != Kind::kMessage) return Wrong(field, "has no fields inside");
      if (!one) return Wrong(field, "is an array; say which, as in " + parts[i].name + "[0]");
      type = &tree_.types[field.type];
    }
    want->slots.push_back(slot);
    return absl::OkStatus();
  }

 private:
  absl::Status Wrong(const Field& field, std::string_view why) const {
    return absl::InvalidArgumentError(absl::StrFormat("field path '%s': '%s', a %s, %s", path_,
                                                      field.name, TypeText(tree_, field), why));
  }

  absl::StatusOr<size_t> FieldAt(const MessageType& type, std::string_view name) const {
    std::vector<std::string> known;
    for (size_t i = 0; i < type.fields.size(); ++i) {
      if (type.fields[i].hidden) continue;
      if (type.fields[i].name == name) return i;
      known.push_back(type.fields[i].name);
    }
    return NoSuchField(path_, name, type.name, known);
  }

  absl::Status CheckIndex(const Field& field, uint32_t index) const {
    if (field.shape == Shape::kOne) return Wrong(field, "is no array");
    if (field.count != 0 && index >= field.count) return Wrong(field, "ends before that place");
    return absl::OkStatus();
  }

  absl::Status CheckLast(const Field& field, bool one) const {
    if (field.kind != Kind::kMessage) return absl::OkStatus();
    if (one && tree_.types[field.type].moment != Moment::kNone) return absl::OkStatus();
    std::vector<std::string> names;
    for (const Field& inside : tree_.types[field.type].fields) {
      if (!inside.hidden) names.push_back(inside.name);
    }
    return Wrong(field, names.empty()
                            ? "has no value"
                            : absl::StrFormat("is no value; name a field of it, as in %s%s",
                                              one ? "." : "[0].", names.front()));
  }

  const TypeTree& tree_;
  std::string_view path_;
};

}  // namespace

size_t SizeOf(Kind kind) {
  switch (kind) {
    case Kind::kBool:
    case Kind::kInt8:
    case Kind::kUint8:
    case Kind::kCharacter:
      return 1;
    case Kind::kInt16:
    case Kind::kUint16:
      return 2;
    case Kind::kInt32:
    case Kind::kUint32:
    case Kind::kFloat32:
      return 4;
    case Kind::kInt64:
    case Kind::kUint64:
    case Kind::kFloat64:
      return 8;
    case Kind::kString:
    case Kind::kWstring:
    case Kind::kMessage:
      break;
  }
  return 0;
}

absl::Status CheckTypes(TypeTree& tree) { return Check(tree).Visit(tree.root, 0); }

std::string TypeText(const TypeTree& tree, const Field& field) {
  constexpr const char* kNames[] = {"bool",    "int8",   "uint8",  "int16",  "uint16",
                                    "int32",   "uint32", "int64",  "uint64", "float32",
                                    "float64", "char",   "string", "wstring"};
  const std::string name = field.kind == Kind::kMessage
                               ? tree.types[field.type].name
                               : std::string(kNames[static_cast<size_t>(field.kind)]);
  const std::string bound = field.text_bound == 0 ? "" : absl::StrFormat("<=%d", field.text_bound);
  return name + bound + ShapeText(field);
}

const Want* Want::Find(uint32_t index) const {
  for (const Part& part : parts) {
    if (part.index == index) return &part.want;
  }
  return nullptr;
}

Want& Want::Make(uint32_t index) {
  for (Part& part : parts) {
    if (part.index == index) return part.want;
  }
  return parts.emplace_back(Part{.index = index, .want = {}}).want;
}

absl::StatusOr<Want> ResolvePaths(const TypeTree& tree, const std::vector<std::string>& paths) {
  Want root;
  for (size_t slot = 0; slot < paths.size(); ++slot) {
    RETURN_IF_ERROR(Resolver(tree, paths[slot]).Resolve(root, slot));
  }
  return root;
}

}  // namespace gatekeeper::ingest
