#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/ingest/recording_file.h"

namespace gatekeeper::ingest {

inline constexpr int64_t kSecondNs = 1'000'000'000;

// The value of one field of one message. Reused from message to message.
struct FieldValue {
  bool present = false;   // the path led somewhere (an index beyond the end does not)
  double number = 0;      // of a number or bool; of a time or duration: seconds
  int64_t integer = 0;    // exact, of whole numbers (of a uint64: the same bits); of a time or
                          // duration: nanoseconds
  std::string_view text;  // of a string, and of an array of bytes (int8, uint8, byte, char);
                          // into the message, or into `unescaped`
  std::vector<double> numbers;          // of an array of any other numbers, and of bool
  std::vector<std::string_view> texts;  // of an array of strings
  std::string unescaped;                // where the message holds the text in another form (JSON)
};

// Reads chosen fields of messages of one type straight from their bytes, in one pass, without
// building the message. Paths as people write them: header.stamp, twist.twist.linear.x,
// ranges[3], ranges (the whole array), joints[2].position.
class FieldPlan {
 public:
  virtual ~FieldPlan() = default;
  // One value a path, in the order of Compile. Views last as long as the message and `values`.
  // kDataLoss when the bytes are not of this type, whichever part of them was asked for.
  virtual absl::Status Read(std::string_view message, std::vector<FieldValue>& values) const = 0;

 protected:
  static void Clear(size_t slots, std::vector<FieldValue>& values);  // and keep their room
};

// From the topic's own definition; for ROS types without one, from the definitions of the common
// types that this library knows. kInvalidArgument names the path that the type has not, and the
// nearest; kUnimplemented an encoding that is not read.
absl::StatusOr<std::unique_ptr<FieldPlan>> CompilePlan(const Topic& topic,
                                                       const std::vector<std::string>& paths);

// Whole messages of one topic as JSON on one line, for people: numbers exact, NaN as null, bytes as
// length and digest. kDataLoss and kResourceExhausted (64 MiB of JSON) are the message's fault.
class MessagePrinter {
 public:
  static absl::StatusOr<MessagePrinter> For(const Topic& topic);
  absl::StatusOr<std::string> ToJson(std::string_view message) const;

  MessagePrinter(MessagePrinter&&) noexcept;
  MessagePrinter& operator=(MessagePrinter&&) noexcept;
  ~MessagePrinter();

 private:
  struct Types;
  explicit MessagePrinter(std::unique_ptr<Types> types);
  std::unique_ptr<Types> types_;
};

// Every field path of the type with its type's name, e.g. "header.stamp" "builtin_interfaces/Time";
// "[]" where a path needs a place.
struct FieldName {
  std::string path;
  std::string type;
};
absl::StatusOr<std::vector<FieldName>> FieldsOf(const Topic& topic);

}  // namespace gatekeeper::ingest
