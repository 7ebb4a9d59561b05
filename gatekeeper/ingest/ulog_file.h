#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"
#include "gatekeeper/ingest/container.h"
#include "gatekeeper/ingest/ulog_formats.h"
#include "gatekeeper/ingest/ulog_walk.h"

namespace gatekeeper::ingest {

// A PX4 log (docs.px4.io, ULog file format, versions 0 and 1). Every subscription is a topic, its
// instances beyond the first as battery_status/1; log lines and parameters are the JSON topics
// logged_messages and parameters. A message's log time is its own timestamp, for ULog has no other:
// stamps of a clock that was not yet set stand where they claim to be. What follows a cut, and
// dropouts of the logger, are notes. Memory: the stretches of 1 MiB that overlap in time.
class UlogFile final : public Container {
 public:
  static absl::StatusOr<std::unique_ptr<Container>> Open(const Source& source);
  absl::Status ForEachMessage(const Selection& selection, const Callback& callback) const override;

 private:
  struct Subscription {
    uint32_t topic = 0;
    uint64_t known_from = 0;  // byte of the file
    uint64_t stamp_offset = 0;
  };
  // A message as it is delivered; `body` without the message id.
  struct Entry {
    char type = 0;
    uint32_t topic = 0;
    int64_t time_ns = 0;
    std::string_view body = {};
  };
  struct Segment {
    uint64_t from = 0;
    uint64_t to = 0;
    Span span;
    int64_t time_before_ns = 0;  // of the last message before it
  };
  class Cursor;
  class Merge;

  explicit UlogFile(Source source) : Container(std::move(source)) {}
  absl::Status ReadHeader();
  absl::Status ScanSection(uint64_t from, uint64_t to);
  absl::Status OnMessage(const UlogMessage& message);
  absl::Status OnFlags(std::string_view body);
  absl::Status Subscribe(const UlogMessage& message);
  void OnInfo(std::string_view body);
  void OnEntry(const UlogMessage& message);
  std::optional<Entry> Interpret(const UlogMessage& message, int64_t time_before_ns) const;
  uint32_t JsonTopic(std::string name, std::string type);
  void StateFacts();
  absl::Status At(uint64_t offset, const absl::Status& status) const;

  agent::base::UniqueFd fd_;
  uint64_t size_ = 0;
  int64_t start_ns_ = 0;
  UlogFormats formats_;
  std::vector<uint64_t> appended_;  // offsets of what was added after a crash
  std::vector<std::optional<Subscription>> subscriptions_;  // by message id
  std::map<char, uint32_t> json_topics_;                    // by message type
  std::map<std::string, std::string> info_;
  std::vector<Segment> segments_;
  int64_t time_ns_ = 0;  // of the last message met
  size_t schema_bytes_ = 0;
  uint64_t dropouts_ = 0;
  uint64_t dropout_ms_ = 0;
  uint64_t longest_dropout_ms_ = 0;
  uint64_t unreadable_ = 0;
  uint64_t first_unreadable_ = 0;
};

}  // namespace gatekeeper::ingest
