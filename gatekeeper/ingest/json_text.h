#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/message_type.h"

namespace gatekeeper::ingest {

// Text of a message for people, piece by piece. Numbers are written in the fewest digits that give
// the same bits back; what is no number as null.
class JsonText {
 public:
  void Open(char bracket) { Begin(), text_ += bracket, fresh_ = true; }
  void Close(char bracket) { text_ += bracket, fresh_ = false; }
  void Key(std::string_view name);
  template <class T>
  void Number(T value) {
    Begin();
    if constexpr (std::is_floating_point_v<T>) {
      PutReal(value);
    } else {
      text_ += std::to_string(value);
    }
  }
  void Bool(bool value) { Begin(), text_ += value ? "true" : "false"; }
  void Text(std::string_view value);
  // {"bytes": 12, "sha256": "..."}
  void Bytes(std::string_view value);

  // Beyond this nothing is shown to anybody: the caller gives up.
  bool too_long() const { return text_.size() > kMost; }
  absl::StatusOr<std::string> Finish() &&;

 private:
  static constexpr size_t kMost = size_t{64} << 20;
  void Begin() {
    if (!fresh_ && !text_.empty()) text_ += ',';
    fresh_ = false;
  }
  void PutReal(double value);
  void PutReal(float value);

  std::string text_;
  bool fresh_ = true;  // nothing stands before in this bracket
};

// A message of steps (CDR, ROS 1, ULog), checked as a plan checks it.
absl::StatusOr<std::string> WireToJson(const TypeTree& tree, Wire wire, std::string_view message);

}  // namespace gatekeeper::ingest
