#include "gatekeeper/ingest/mcap_file.h"

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::ingest {
namespace {

namespace recording = agent::recording;

// MCAP counts from 1970 without a sign. What lies beyond the year 2262 is a broken clock: it stays
// the latest of all.
int64_t SignedTime(uint64_t time_ns) {
  return static_cast<int64_t>(std::min<uint64_t>(time_ns, INT64_MAX));
}

recording::MessageFilter FilterOf(const Selection& selection) {
  return {
      .topics = selection.topics,
      .from_ns = static_cast<uint64_t>(std::max<int64_t>(selection.from_ns, 0)),
      .to_ns = selection.to_ns == INT64_MAX ? UINT64_MAX : static_cast<uint64_t>(selection.to_ns)};
}

}  // namespace

McapFile::McapFile(Source source, recording::McapReader reader)
    : Container(std::move(source)), reader_(std::move(reader)) {}

absl::StatusOr<std::unique_ptr<Container>> McapFile::Open(const Source& source) {
  absl::StatusOr<recording::McapReader> reader =
      recording::McapReader::Open(source.path, {.truncation = recording::Truncation::kRecover});
  if (!reader.ok()) return Named(source, reader.status());
  std::unique_ptr<McapFile> file(new McapFile(source, *std::move(reader)));
  file->ListTopics();
  file->StateFacts();
  RETURN_IF_ERROR(file->CountMessages());
  return file;
}

void McapFile::ListTopics() {
  for (const auto& [id, channel] : reader_.channels()) {
    Topic topic;
    topic.id = static_cast<uint32_t>(topics_.size());
    topic.name = channel.topic;
    topic.message_encoding = channel.message_encoding;
    const auto schema = reader_.schemas().find(channel.schema_id);
    if (schema != reader_.schemas().end()) {
      topic.type = schema->second.name;
      topic.schema_encoding = schema->second.encoding;
      topic.schema = schema->second.data;
    }
    topic_of_.resize(size_t{id} + 1);
    topic_of_[id] = topic.id;
    topics_.push_back(std::move(topic));
  }
}

void McapFile::StateFacts() {
  facts_.container = "mcap";
  facts_.writer = reader_.header().library;
  facts_.compression = absl::StrJoin(reader_.compressions(), ", ");
  facts_.checksums = reader_.checksummed() ? "all" : reader_.some_checksums() ? "some" : "none";
  if (reader_.recovery()) {
    facts_.notes.push_back(absl::StrFormat(
        "%s breaks off: %d bytes are read, the last %d are lost (%s)", source_.name,
        reader_.recovery()->kept_bytes, reader_.recovery()->lost_bytes, reader_.recovery()->why));
  }
}

absl::Status McapFile::ForEachMessage(const Selection& selection, const Callback& callback) const {
  if (selection.to_ns < 0) return absl::OkStatus();  // MCAP has no time before 1970
  absl::Status asked;
  recording::Buffer room;
  const absl::Status read = reader_.ForEachMessage(
      FilterOf(selection),
      [&](const recording::Channel& channel, const recording::Message& message) -> absl::Status {
        const Topic& topic = topics_[topic_of_[channel.id]];
        ASSIGN_OR_RETURN(const std::string_view data, PlainMessage(topic, message.data, room));
        asked = callback(topic, {.log_time_ns = SignedTime(message.log_time_ns),
                                 .publish_time_ns = SignedTime(message.publish_time_ns),
                                 .data = data});
        return asked;
      });
  return asked.ok() ? Named(source_, read) : asked;
}

}  // namespace gatekeeper::ingest
