#include "agent/recording/mcap_reader.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <queue>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/mcap_codec.h"
#include "agent/recording/mcap_scan.h"
#include "agent/recording/record_walk.h"

namespace agent::recording {
namespace {

absl::Status At(const std::string& path, uint64_t offset, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrFormat("%s: byte %d: %s", path, offset,
                                                     std::string(status.message())));
}

absl::Status OpenChunk(std::string_view body, uint64_t cap, Buffer& records) {
  ASSIGN_OR_RETURN(const Chunk chunk, DecodeChunk(body));
  ASSIGN_OR_RETURN(const Compression compression, ParseCompression(chunk.compression));
  RETURN_IF_ERROR(
      DecompressInto(compression, chunk.records, chunk.uncompressed_size, cap, records));
  if (chunk.uncompressed_crc != 0 && chunk.uncompressed_crc != Crc32(0, records.view()))
    return absl::DataLossError("a chunk does not match its CRC; the file is damaged");
  return absl::OkStatus();
}

struct Entry {
  const Channel* channel = nullptr;
  Message message;  // into the cursor's buffer
};

// The wanted messages of one open part, in log-time order.
struct Cursor {
  uint64_t part_offset = 0;
  Buffer buffer;
  std::vector<Entry> entries;
  size_t next = 0;

  bool empty() const { return next == entries.size(); }
  uint64_t time() const { return entries[next].message.log_time_ns; }
};

// Earliest first; at equal times the part that stands first in the file.
struct Later {
  bool operator()(const Cursor* a, const Cursor* b) const {
    return std::pair(a->time(), a->part_offset) > std::pair(b->time(), b->part_offset);
  }
};

// The filter, made ready for one look at a table a message.
class Wanted {
 public:
  Wanted(const MessageFilter& filter, const std::map<uint16_t, Channel>& channels)
      : filter_(filter) {
    if (!channels.empty()) known_.resize(size_t{channels.rbegin()->first} + 1);
    for (const auto& [id, channel] : channels)
      known_[id] = {&channel, filter.topics.empty() || filter.topics.contains(channel.topic)};
  }
  // nullptr: the file defines no such channel.
  const Channel* ChannelOf(const Message& message) const {
    return message.channel_id < known_.size() ? known_[message.channel_id].channel : nullptr;
  }
  // Of a message whose channel is known.
  bool operator()(const Message& message) const {
    return known_[message.channel_id].wanted && message.log_time_ns >= filter_.from_ns &&
           message.log_time_ns <= filter_.to_ns;
  }

 private:
  struct Known {
    const Channel* channel = nullptr;
    bool wanted = false;
  };
  const MessageFilter& filter_;
  std::vector<Known> known_;  // by channel id
};

struct Span {
  uint64_t start_ns;
  uint64_t end_ns;
};

absl::Status Select(const Wanted& wanted, Span span, Cursor& cursor) {
  std::string_view rest = cursor.buffer.view();
  while (!rest.empty()) {
    ASSIGN_OR_RETURN(const Record record, TakeRecord(rest, cursor.buffer.size));
    if (record.opcode != static_cast<uint8_t>(Opcode::kMessage)) continue;
    ASSIGN_OR_RETURN(const Message message, DecodeMessage(record.body));
    const Channel* const channel = wanted.ChannelOf(message);
    if (channel == nullptr)
      return absl::DataLossError(absl::StrFormat(
          "a message refers to channel %d, which the file does not define", message.channel_id));
    if (message.log_time_ns < span.start_ns || message.log_time_ns > span.end_ns)
      return absl::DataLossError(
          absl::StrFormat("a message of log time %d stands in a chunk of %d to %d",
                          message.log_time_ns, span.start_ns, span.end_ns));
    if (wanted(message)) cursor.entries.push_back({channel, message});
  }
  const auto earlier = [](const Entry& a, const Entry& b) {
    return a.message.log_time_ns < b.message.log_time_ns;
  };
  if (!std::is_sorted(cursor.entries.begin(), cursor.entries.end(), earlier))
    std::stable_sort(cursor.entries.begin(), cursor.entries.end(), earlier);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<McapReader> McapReader::Open(const std::string& path, McapReaderOptions options) {
  McapReader reader;
  reader.path_ = path;
  reader.options_ = options;
  reader.fd_ = base::UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!reader.fd_.valid() || fstat(reader.fd_.get(), &info) != 0)
    return absl::ErrnoToStatus(errno, "cannot open the recording " + path);
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(path + " is not a regular file");
  McapScan scan(reader, static_cast<uint64_t>(info.st_size));
  RETURN_IF_ERROR(scan.Run());
  return reader;
}

// A chunk's records unpacked, or a run of messages as it stands.
absl::Status McapReader::LoadPart(const Part& part, Buffer& packed, Buffer& records) const {
  Buffer& raw = part.chunk ? packed : records;
  raw.Resize(part.length);
  absl::Status status = ReadAt(fd_.get(), part.offset, part.length, raw.bytes.get());
  if (status.ok() && part.chunk)
    status = OpenChunk(packed.view(), options_.max_chunk_bytes, records);
  return status.ok() ? status : At(path_, part.offset, status);
}

// The parts of a file merged by log time: those that overlap are open together.
class McapReader::Merge {
 public:
  Merge(const McapReader& reader, const MessageFilter& filter)
      : reader_(reader), wanted_(filter, reader.channels_) {
    for (const Part& part : reader.parts_)
      if (part.end_ns >= filter.from_ns && part.start_ns <= filter.to_ns) waiting_.push_back(part);
    std::stable_sort(waiting_.begin(), waiting_.end(),
                     [](const Part& a, const Part& b) { return a.start_ns < b.start_ns; });
  }

  bool empty() const { return heap_.empty() && waiting_.empty(); }
  // A part must be open before the first message that could come after one of its own.
  bool MustOpen() const {
    return !waiting_.empty() && (heap_.empty() || waiting_.front().start_ns <= heap_.top()->time());
  }

  absl::Status OpenNext() {
    const Part part = waiting_.front();
    waiting_.pop_front();
    Cursor cursor = std::exchange(spare_, Cursor{});
    cursor.part_offset = part.offset;
    cursor.entries.clear();
    cursor.next = 0;
    RETURN_IF_ERROR(reader_.LoadPart(part, packed_, cursor.buffer));
    absl::Status status = Select(wanted_, {part.start_ns, part.end_ns}, cursor);
    if (status.ok() && cursor.empty()) {
      spare_ = std::move(cursor);
      return status;
    }
    open_bytes_ += cursor.buffer.size;
    if (status.ok() && open_bytes_ > reader_.options_.max_open_bytes)
      status = absl::ResourceExhaustedError(
          absl::StrFormat("chunks that overlap in time need more than %d bytes at once",
                          reader_.options_.max_open_bytes));
    if (!status.ok()) return At(reader_.path_, part.offset, status);
    heap_.push(&open_.emplace(part.offset, std::move(cursor)).first->second);
    return absl::OkStatus();
  }

  // Messages of the earliest part for as long as it stays that.
  absl::Status Deliver(const MessageCallback& callback) {
    Cursor* const cursor = heap_.top();
    heap_.pop();
    do {
      const Entry& entry = cursor->entries[cursor->next++];
      RETURN_IF_ERROR(callback(*entry.channel, entry.message));
      ++delivered_;
    } while (!cursor->empty() && IsEarliest(*cursor));
    if (!cursor->empty()) {
      heap_.push(cursor);
      return absl::OkStatus();
    }
    open_bytes_ -= cursor->buffer.size;
    const auto done = open_.find(cursor->part_offset);
    spare_ = std::move(done->second);
    open_.erase(done);
    return absl::OkStatus();
  }

  uint64_t delivered() const { return delivered_; }

 private:
  bool IsEarliest(const Cursor& cursor) const {
    return (waiting_.empty() || cursor.time() < waiting_.front().start_ns) &&
           (heap_.empty() || Later()(heap_.top(), &cursor));
  }

  const McapReader& reader_;
  Wanted wanted_;
  std::deque<Part> waiting_;
  std::map<uint64_t, Cursor> open_;  // by offset
  std::priority_queue<Cursor*, std::vector<Cursor*>, Later> heap_;
  uint64_t open_bytes_ = 0;
  uint64_t delivered_ = 0;
  // Memory of parts that were read to their end, for the next: giving back and taking megabytes a
  // chunk costs more than reading them.
  Cursor spare_;
  Buffer packed_;
};

absl::Status McapReader::ForEachMessage(const MessageFilter& filter,
                                        const MessageCallback& callback) const {
  Merge merge(*this, filter);
  while (!merge.empty())
    RETURN_IF_ERROR(merge.MustOpen() ? merge.OpenNext() : merge.Deliver(callback));
  return CheckCount(filter, merge.delivered());
}

// The statistics are the only thing that tells a file from which whole records were cut out.
absl::Status McapReader::CheckCount(const MessageFilter& filter, uint64_t delivered) const {
  if (!statistics_ || filter.from_ns != 0 || filter.to_ns != UINT64_MAX) return absl::OkStatus();
  uint64_t stated = filter.topics.empty() ? statistics_->message_count : 0;
  if (!filter.topics.empty())
    for (const auto& [id, count] : statistics_->channel_message_counts)
      if (channels_.contains(id) && filter.topics.contains(channels_.at(id).topic)) stated += count;
  if (stated == delivered) return absl::OkStatus();
  return absl::DataLossError(absl::StrFormat(
      "%s: the statistics state %d messages and the file holds %d", path_, stated, delivered));
}

absl::Status McapReader::ForEachRecord(const RecordCallback& callback) const {
  RecordWalk walk(fd_.get(), kMcapMagic.size(), end_offset_,
                  {.record_bytes = options_.max_record_bytes,
                   .chunk_bytes = options_.max_chunk_bytes + kChunkFieldRoom});
  while (true) {
    const uint64_t offset = walk.offset();
    const absl::StatusOr<std::optional<Record>> record = walk.Next();
    if (!record.ok()) return At(path_, offset, record.status());
    if (!record->has_value()) return absl::OkStatus();
    RETURN_IF_ERROR(callback(**record));
  }
}

absl::StatusOr<std::vector<Metadata>> McapReader::ReadMetadata() const {
  std::vector<Metadata> found;
  RETURN_IF_ERROR(ForEachRecord([&found](const Record& record) -> absl::Status {
    if (record.opcode != static_cast<uint8_t>(Opcode::kMetadata)) return absl::OkStatus();
    ASSIGN_OR_RETURN(Metadata metadata, DecodeMetadata(record.body));
    found.push_back(std::move(metadata));
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<std::vector<Attachment>> McapReader::ReadAttachments() const {
  std::vector<Attachment> found;
  RETURN_IF_ERROR(ForEachRecord([&found](const Record& record) -> absl::Status {
    if (record.opcode != static_cast<uint8_t>(Opcode::kAttachment)) return absl::OkStatus();
    ASSIGN_OR_RETURN(Attachment attachment, DecodeAttachment(record.body));
    found.push_back(std::move(attachment));
    return absl::OkStatus();
  }));
  return found;
}

}  // namespace agent::recording
