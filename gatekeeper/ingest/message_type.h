#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gatekeeper::ingest {

// Of hostile definitions.
inline constexpr size_t kMostFields = 65'536;       // of one message, arrays of messages unfolded
inline constexpr size_t kMostFieldsOfType = 4096;   // as they are written
inline constexpr size_t kMostDefinition = 1 << 20;  // bytes of text

enum class Kind : uint8_t {
  kBool,
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat32,
  kFloat64,
  kCharacter,  // one byte of a text of fixed length (ULog)
  kString,
  kWstring,
  kMessage,
};

// What a definition calls a kind.
struct NamedKind {
  std::string_view name;
  Kind kind;
};

// Bytes of one value; 0 for strings and messages, whose size is their own.
size_t SizeOf(Kind kind);

enum class Shape : uint8_t { kOne, kFixed, kSequence };

struct Field {
  std::string name;
  Kind kind = Kind::kBool;
  size_t type = 0;  // of kMessage: index into TypeTree::types
  Shape shape = Shape::kOne;
  uint32_t count = 0;       // of kFixed: how many; of kSequence: at most so many, 0 for any number
  uint32_t text_bound = 0;  // of strings: at most so many characters, 0 for any number
  bool hidden = false;      // takes room and means nothing (padding)
};

enum class Moment : uint8_t { kNone, kTime, kDuration };

struct MessageType {
  std::string name;  // package/Type
  std::vector<Field> fields;
  Moment moment = Moment::kNone;  // seconds and nanoseconds that mean a time or a duration
  uint64_t least_bytes = 0;       // a message takes, alignment left out; by CheckTypes
};

// The types that one message is made of.
struct TypeTree {
  std::vector<MessageType> types;
  size_t root = 0;
};

// How the values stand in the bytes.
enum class Wire : uint8_t { kCdr, kRos1, kUlog };

// Hostile definitions end here: kInvalidArgument for types that contain themselves, nest deeper
// than 32, or would be read for nothing (arrays of messages without a byte); kResourceExhausted for
// those that unfold into more than 65,536 fields or a GiB.
absl::Status CheckTypes(TypeTree& tree);

// As people write it: float32[], string, builtin_interfaces/Time.
std::string TypeText(const TypeTree& tree, const Field& field);

// A field, or one place of an array, that somebody wants, and those inside of it.
struct Want {
  std::vector<size_t> slots;  // of the answer, that this field itself goes to
  struct Part;
  std::vector<Part> parts;
  const Want* Find(uint32_t index) const;
  Want& Make(uint32_t index);
};
struct Want::Part {
  uint32_t index = 0;  // in a message: which field; in an array: which place
  Want want;
};

// kInvalidArgument names the first path that leads nowhere, and what is there.
absl::StatusOr<Want> ResolvePaths(const TypeTree& tree, const std::vector<std::string>& paths);

}  // namespace gatekeeper::ingest
