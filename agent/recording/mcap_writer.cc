#include "agent/recording/mcap_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/mcap_codec.h"

namespace agent::recording {
namespace {

// MCAP lengths of strings and lists are 32 bit; a message this large is a mistake of the caller's.
constexpr size_t kMostMessageBytes = 1u << 30;
constexpr size_t kPacketChunks =
    4;  // a chunk may grow to this many times its size for one packet's sake
constexpr std::string_view kLibrary = "gatekeeper";

absl::Status Errno(std::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrFormat("cannot %s the recording %s", what, path));
}

// Appends the records of one group to the summary and a SummaryOffset to `offsets`.
template <class T>
void PutGroup(Opcode opcode, const std::vector<T>& records, uint64_t base, std::string& summary,
              std::string& offsets) {
  if (records.empty()) return;
  const size_t start = summary.size();
  for (const T& record : records) Encode(record, summary);
  Encode(SummaryOffset{.group_opcode = static_cast<uint8_t>(opcode),
                       .group_start = base + start,
                       .group_length = summary.size() - start},
         offsets);
}

}  // namespace

absl::StatusOr<McapWriter> McapWriter::Create(const std::string& path, McapWriterOptions options) {
  McapWriter writer;
  writer.path_ = path;
  writer.fd_ = base::UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!writer.fd_.valid()) return Errno("create", path);
  std::string start(kMcapMagic);
  Encode(Header{.profile = options.profile, .library = std::string(kLibrary)}, start);
  writer.options_ = std::move(options);
  RETURN_IF_ERROR(writer.Put(start));
  return writer;
}

// Everything that stands before DataEnd goes through here and is covered by the data-section CRC.
absl::Status McapWriter::Put(std::string_view bytes) {
  RETURN_IF_ERROR(failed_);
  if (closed_) return absl::FailedPreconditionError("the recording " + path_ + " is closed");
  data_crc_ = Crc32(data_crc_, bytes);
  offset_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed_ = Errno("write", path_);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint16_t> McapWriter::AddSchema(std::string_view name, std::string_view encoding,
                                               std::string_view data) {
  Schema schema{.id = static_cast<uint16_t>(schemas_.size() + 1),
                .name = std::string(name),
                .encoding = std::string(encoding),
                .data = std::string(data)};
  for (const Schema& known : schemas_)
    if (known.name == schema.name && known.encoding == schema.encoding && known.data == schema.data)
      return known.id;
  if (schemas_.size() == std::numeric_limits<uint16_t>::max())
    return absl::ResourceExhaustedError("an MCAP file holds at most 65535 schemas");
  Encode(schema, chunk_);
  schemas_.push_back(std::move(schema));
  return schemas_.back().id;
}

absl::StatusOr<uint16_t> McapWriter::AddChannel(uint16_t schema_id, std::string_view topic,
                                                std::string_view message_encoding,
                                                const StringMap& metadata) {
  if (schema_id > schemas_.size())
    return absl::InvalidArgumentError(absl::StrFormat("schema %d was not added", schema_id));
  Channel channel{.id = static_cast<uint16_t>(channels_.size() + 1),
                  .schema_id = schema_id,
                  .topic = std::string(topic),
                  .message_encoding = std::string(message_encoding),
                  .metadata = metadata};
  for (const Channel& known : channels_) {
    channel.id = known.id;
    if (known == channel) return known.id;
  }
  if (channels_.size() == std::numeric_limits<uint16_t>::max())
    return absl::ResourceExhaustedError("an MCAP file holds at most 65535 channels");
  channel.id = static_cast<uint16_t>(channels_.size() + 1);
  Encode(channel, chunk_);
  channels_.push_back(std::move(channel));
  return channels_.back().id;
}

absl::Status McapWriter::Write(const Message& message) {
  if (closed_) return absl::FailedPreconditionError("the recording " + path_ + " is closed");
  if (message.channel_id == 0 || message.channel_id > channels_.size())
    return absl::InvalidArgumentError(
        absl::StrFormat("channel %d was not added to %s", message.channel_id, path_));
  if (message.data.size() > kMostMessageBytes)
    return absl::InvalidArgumentError(
        absl::StrFormat("a message of %d bytes is larger than the %d a recording takes",
                        message.data.size(), kMostMessageBytes));
  RETURN_IF_ERROR(failed_);
  if (ChunkIsFullFor(message)) RETURN_IF_ERROR(CloseChunk());
  if (chunk_messages_.empty()) chunk_start_ns_ = chunk_end_ns_ = message.log_time_ns;
  last_log_time_ns_ = message.log_time_ns;
  chunk_start_ns_ = std::min(chunk_start_ns_, message.log_time_ns);
  chunk_end_ns_ = std::max(chunk_end_ns_, message.log_time_ns);
  MessageIndex& index = chunk_messages_[message.channel_id];
  index.channel_id = message.channel_id;
  index.entries.emplace_back(message.log_time_ns, chunk_.size());
  Encode(message, chunk_);

  const bool first = statistics_.message_count++ == 0;
  statistics_.channel_message_counts[message.channel_id]++;
  uint64_t& start = statistics_.message_start_time_ns;
  uint64_t& end = statistics_.message_end_time_ns;
  start = first ? message.log_time_ns : std::min(start, message.log_time_ns);
  end = first ? message.log_time_ns : std::max(end, message.log_time_ns);
  return absl::OkStatus();
}

// Messages of one log time are one packet of the robot: a kill between chunks must not halve it.
bool McapWriter::ChunkIsFullFor(const Message& message) const {
  if (chunk_messages_.empty()) return false;
  if (message.log_time_ns == last_log_time_ns_)
    return chunk_.size() >= kPacketChunks * options_.chunk_bytes;
  const auto [low, high] = std::minmax(message.log_time_ns, last_log_time_ns_);
  return chunk_.size() >= options_.chunk_bytes ||
         std::max(chunk_end_ns_, high) - std::min(chunk_start_ns_, low) >= options_.chunk_span_ns;
}

absl::Status McapWriter::Write(const Attachment& attachment) {
  if (attachment.data.size() > kMostMessageBytes)
    return absl::InvalidArgumentError("an attachment is larger than a recording takes");
  RETURN_IF_ERROR(CloseChunk());
  std::string bytes;
  Encode(attachment, bytes);
  attachment_indexes_.push_back({.offset = offset_,
                                 .length = bytes.size(),
                                 .log_time_ns = attachment.log_time_ns,
                                 .create_time_ns = attachment.create_time_ns,
                                 .data_size = attachment.data.size(),
                                 .name = attachment.name,
                                 .media_type = attachment.media_type});
  return Put(bytes);
}

absl::Status McapWriter::Write(const Metadata& metadata) {
  RETURN_IF_ERROR(CloseChunk());
  std::string bytes;
  Encode(metadata, bytes);
  metadata_indexes_.push_back({.offset = offset_, .length = bytes.size(), .name = metadata.name});
  return Put(bytes);
}

absl::Status McapWriter::CloseChunk() {
  RETURN_IF_ERROR(failed_);
  if (chunk_.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string packed, Compress(options_.compression, chunk_));
  std::string bytes;
  Encode(Chunk{.start_time_ns = chunk_messages_.empty() ? 0 : chunk_start_ns_,
               .end_time_ns = chunk_messages_.empty() ? 0 : chunk_end_ns_,
               .uncompressed_size = chunk_.size(),
               .uncompressed_crc = Crc32(0, chunk_),
               .compression = std::string(CompressionName(options_.compression)),
               .records = packed},
         bytes);
  ChunkIndex index{.start_time_ns = chunk_messages_.empty() ? 0 : chunk_start_ns_,
                   .end_time_ns = chunk_messages_.empty() ? 0 : chunk_end_ns_,
                   .chunk_offset = offset_,
                   .chunk_length = bytes.size(),
                   .message_index_offsets = {},
                   .message_index_length = 0,
                   .compression = std::string(CompressionName(options_.compression)),
                   .compressed_size = packed.size(),
                   .uncompressed_size = chunk_.size()};
  for (auto& [channel, messages] : chunk_messages_) {
    std::stable_sort(messages.entries.begin(), messages.entries.end());
    index.message_index_offsets[channel] = offset_ + bytes.size();
    Encode(messages, bytes);
  }
  index.message_index_length = bytes.size() - index.chunk_length;
  chunk_.clear();
  chunk_messages_.clear();
  RETURN_IF_ERROR(Put(bytes));
  chunk_indexes_.push_back(std::move(index));
  statistics_.chunk_count++;
  return absl::OkStatus();
}

absl::Status McapWriter::Flush() { return CloseChunk(); }

absl::Status McapWriter::Close() {
  RETURN_IF_ERROR(CloseChunk());
  std::string end;
  Encode(DataEnd{.data_section_crc = data_crc_}, end);
  RETURN_IF_ERROR(Put(end));
  RETURN_IF_ERROR(Put(Summary()));
  if (fdatasync(fd_.get()) != 0) return failed_ = Errno("sync", path_);
  closed_ = true;
  fd_.reset();
  return absl::OkStatus();
}

// From the first summary record to the closing magic.
std::string McapWriter::Summary() const {
  Statistics statistics = statistics_;
  statistics.schema_count = static_cast<uint16_t>(schemas_.size());
  statistics.channel_count = static_cast<uint32_t>(channels_.size());
  statistics.attachment_count = static_cast<uint32_t>(attachment_indexes_.size());
  statistics.metadata_count = static_cast<uint32_t>(metadata_indexes_.size());
  std::string summary;
  std::string offsets;
  PutGroup(Opcode::kSchema, schemas_, offset_, summary, offsets);
  PutGroup(Opcode::kChannel, channels_, offset_, summary, offsets);
  PutGroup(Opcode::kStatistics, std::vector<Statistics>{statistics}, offset_, summary, offsets);
  PutGroup(Opcode::kChunkIndex, chunk_indexes_, offset_, summary, offsets);
  PutGroup(Opcode::kAttachmentIndex, attachment_indexes_, offset_, summary, offsets);
  PutGroup(Opcode::kMetadataIndex, metadata_indexes_, offset_, summary, offsets);
  Footer footer{
      .summary_start = offset_, .summary_offset_start = offset_ + summary.size(), .summary_crc = 0};
  summary += offsets;
  const size_t footer_at = summary.size();
  Encode(footer, summary);
  footer.summary_crc =
      Crc32(0, std::string_view(summary).substr(0, summary.size() - sizeof(footer.summary_crc)));
  summary.resize(footer_at);
  Encode(footer, summary);
  summary.append(kMcapMagic);
  return summary;
}

}  // namespace agent::recording
