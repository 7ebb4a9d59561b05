#include "agent/recording/mcap_codec.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/compression.h"
#include "agent/recording/mcap_wire.h"

namespace agent::recording {
namespace {

absl::Status Short(std::string_view what) {
  return absl::DataLossError(
      absl::StrFormat("a %s record's fields reach beyond its end; the file is damaged", what));
}

template <class T>
absl::StatusOr<T> Checked(const WireTaker& taker, std::string_view what, T value) {
  if (!taker.ok()) return Short(what);
  return value;
}

// Lists are prefixed with their size in bytes.
WireTaker TakeList(WireTaker& taker) { return WireTaker(taker.Bytes(taker.Number<uint32_t>())); }

absl::StatusOr<StringMap> TakeMap(WireTaker& taker, std::string_view what) {
  StringMap map;
  WireTaker list = TakeList(taker);
  while (!list.empty()) {
    std::string key(list.Text());
    std::string value(list.Text());
    if (!list.ok()) return Short(what);
    if (!map.emplace(std::move(key), std::move(value)).second)
      return absl::DataLossError(absl::StrFormat("a %s record repeats a key of its map", what));
  }
  return map;
}

template <class K, class V>
absl::StatusOr<std::map<K, V>> TakeNumbers(WireTaker& taker, std::string_view what) {
  std::map<K, V> map;
  WireTaker list = TakeList(taker);
  while (!list.empty()) {
    const K key = list.Number<K>();
    const V value = list.Number<V>();
    if (!list.ok()) return Short(what);
    if (!map.emplace(key, value).second)
      return absl::DataLossError(absl::StrFormat("a %s record repeats a key of its map", what));
  }
  return map;
}

void PutMap(const StringMap& map, std::string& out) {
  std::string list;
  for (const auto& [key, value] : map) {
    PutText(key, list);
    PutText(value, list);
  }
  PutText(list, out);
}

template <class K, class V>
void PutNumbers(const std::map<K, V>& map, std::string& out) {
  PutNumber(static_cast<uint32_t>(map.size() * (sizeof(K) + sizeof(V))), out);
  for (const auto& [key, value] : map) {
    PutNumber(key, out);
    PutNumber(value, out);
  }
}

uint8_t Code(Opcode opcode) { return static_cast<uint8_t>(opcode); }

}  // namespace

void Encode(const Header& value, std::string& out) {
  RecordScope record(Code(Opcode::kHeader), out);
  PutText(value.profile, out);
  PutText(value.library, out);
}

void Encode(const Footer& value, std::string& out) {
  RecordScope record(Code(Opcode::kFooter), out);
  PutNumber(value.summary_start, out);
  PutNumber(value.summary_offset_start, out);
  PutNumber(value.summary_crc, out);
}

void Encode(const Schema& value, std::string& out) {
  RecordScope record(Code(Opcode::kSchema), out);
  PutNumber(value.id, out);
  PutText(value.name, out);
  PutText(value.encoding, out);
  PutText(value.data, out);
}

void Encode(const Channel& value, std::string& out) {
  RecordScope record(Code(Opcode::kChannel), out);
  PutNumber(value.id, out);
  PutNumber(value.schema_id, out);
  PutText(value.topic, out);
  PutText(value.message_encoding, out);
  PutMap(value.metadata, out);
}

void Encode(const Message& value, std::string& out) {
  RecordScope record(Code(Opcode::kMessage), out);
  PutNumber(value.channel_id, out);
  PutNumber(value.sequence, out);
  PutNumber(value.log_time_ns, out);
  PutNumber(value.publish_time_ns, out);
  out.append(value.data);
}

void Encode(const Chunk& value, std::string& out) {
  RecordScope record(Code(Opcode::kChunk), out);
  PutNumber(value.start_time_ns, out);
  PutNumber(value.end_time_ns, out);
  PutNumber(value.uncompressed_size, out);
  PutNumber(value.uncompressed_crc, out);
  PutText(value.compression, out);
  PutNumber(static_cast<uint64_t>(value.records.size()), out);
  out.append(value.records);
}

void Encode(const MessageIndex& value, std::string& out) {
  RecordScope record(Code(Opcode::kMessageIndex), out);
  PutNumber(value.channel_id, out);
  PutNumber(static_cast<uint32_t>(value.entries.size() * 16), out);
  for (const auto& [log_time, offset] : value.entries) {
    PutNumber(log_time, out);
    PutNumber(offset, out);
  }
}

void Encode(const ChunkIndex& value, std::string& out) {
  RecordScope record(Code(Opcode::kChunkIndex), out);
  PutNumber(value.start_time_ns, out);
  PutNumber(value.end_time_ns, out);
  PutNumber(value.chunk_offset, out);
  PutNumber(value.chunk_length, out);
  PutNumbers(value.message_index_offsets, out);
  PutNumber(value.message_index_length, out);
  PutText(value.compression, out);
  PutNumber(value.compressed_size, out);
  PutNumber(value.uncompressed_size, out);
}

void Encode(const Attachment& value, std::string& out) {
  RecordScope record(Code(Opcode::kAttachment), out);
  PutNumber(value.log_time_ns, out);
  PutNumber(value.create_time_ns, out);
  PutText(value.name, out);
  PutText(value.media_type, out);
  PutNumber(static_cast<uint64_t>(value.data.size()), out);
  out.append(value.data);
  PutNumber(Crc32(0, std::string_view(out).substr(record.body())), out);
}

void Encode(const AttachmentIndex& value, std::string& out) {
  RecordScope record(Code(Opcode::kAttachmentIndex), out);
  PutNumber(value.offset, out);
  PutNumber(value.length, out);
  PutNumber(value.log_time_ns, out);
  PutNumber(value.create_time_ns, out);
  PutNumber(value.data_size, out);
  PutText(value.name, out);
  PutText(value.media_type, out);
}

void Encode(const Statistics& value, std::string& out) {
  RecordScope record(Code(Opcode::kStatistics), out);
  PutNumber(value.message_count, out);
  PutNumber(value.schema_count, out);
  PutNumber(value.channel_count, out);
  PutNumber(value.attachment_count, out);
  PutNumber(value.metadata_count, out);
  PutNumber(value.chunk_count, out);
  PutNumber(value.message_start_time_ns, out);
  PutNumber(value.message_end_time_ns, out);
  PutNumbers(value.channel_message_counts, out);
}

void Encode(const Metadata& value, std::string& out) {
  RecordScope record(Code(Opcode::kMetadata), out);
  PutText(value.name, out);
  PutMap(value.values, out);
}

void Encode(const MetadataIndex& value, std::string& out) {
  RecordScope record(Code(Opcode::kMetadataIndex), out);
  PutNumber(value.offset, out);
  PutNumber(value.length, out);
  PutText(value.name, out);
}

void Encode(const SummaryOffset& value, std::string& out) {
  RecordScope record(Code(Opcode::kSummaryOffset), out);
  PutNumber(value.group_opcode, out);
  PutNumber(value.group_start, out);
  PutNumber(value.group_length, out);
}

void Encode(const DataEnd& value, std::string& out) {
  RecordScope record(Code(Opcode::kDataEnd), out);
  PutNumber(value.data_section_crc, out);
}

// The order of the calls below is the order of the fields in the body.

absl::StatusOr<Header> DecodeHeader(std::string_view body) {
  WireTaker in(body);
  Header value;
  value.profile = in.Text();
  value.library = in.Text();
  return Checked(in, "Header", std::move(value));
}

absl::StatusOr<Footer> DecodeFooter(std::string_view body) {
  WireTaker in(body);
  Footer value;
  value.summary_start = in.Number<uint64_t>();
  value.summary_offset_start = in.Number<uint64_t>();
  value.summary_crc = in.Number<uint32_t>();
  return Checked(in, "Footer", value);
}

absl::StatusOr<Schema> DecodeSchema(std::string_view body) {
  WireTaker in(body);
  Schema value;
  value.id = in.Number<uint16_t>();
  value.name = in.Text();
  value.encoding = in.Text();
  value.data = in.Text();
  if (in.ok() && value.id == 0)
    return absl::DataLossError("a Schema record has id 0, which means \"no schema\"");
  return Checked(in, "Schema", std::move(value));
}

absl::StatusOr<Channel> DecodeChannel(std::string_view body) {
  WireTaker in(body);
  Channel value;
  value.id = in.Number<uint16_t>();
  value.schema_id = in.Number<uint16_t>();
  value.topic = in.Text();
  value.message_encoding = in.Text();
  ASSIGN_OR_RETURN(value.metadata, TakeMap(in, "Channel"));
  return Checked(in, "Channel", std::move(value));
}

absl::StatusOr<Message> DecodeMessage(std::string_view body) {
  WireTaker in(body);
  Message value;
  value.channel_id = in.Number<uint16_t>();
  value.sequence = in.Number<uint32_t>();
  value.log_time_ns = in.Number<uint64_t>();
  value.publish_time_ns = in.Number<uint64_t>();
  value.data = in.Rest();
  return Checked(in, "Message", value);
}

absl::StatusOr<Chunk> DecodeChunk(std::string_view body) {
  WireTaker in(body);
  Chunk value;
  value.start_time_ns = in.Number<uint64_t>();
  value.end_time_ns = in.Number<uint64_t>();
  value.uncompressed_size = in.Number<uint64_t>();
  value.uncompressed_crc = in.Number<uint32_t>();
  value.compression = in.Text();
  value.records = in.Bytes(in.Number<uint64_t>());
  return Checked(in, "Chunk", std::move(value));
}

absl::StatusOr<MessageIndex> DecodeMessageIndex(std::string_view body) {
  WireTaker in(body);
  MessageIndex value;
  value.channel_id = in.Number<uint16_t>();
  WireTaker list = TakeList(in);
  while (!list.empty()) {
    const uint64_t log_time = list.Number<uint64_t>();
    value.entries.emplace_back(log_time, list.Number<uint64_t>());
  }
  if (!list.ok()) return Short("MessageIndex");
  return Checked(in, "MessageIndex", std::move(value));
}

absl::StatusOr<ChunkIndex> DecodeChunkIndex(std::string_view body) {
  WireTaker in(body);
  ChunkIndex value;
  value.start_time_ns = in.Number<uint64_t>();
  value.end_time_ns = in.Number<uint64_t>();
  value.chunk_offset = in.Number<uint64_t>();
  value.chunk_length = in.Number<uint64_t>();
  ASSIGN_OR_RETURN(value.message_index_offsets,
                   (TakeNumbers<uint16_t, uint64_t>(in, "ChunkIndex")));
  value.message_index_length = in.Number<uint64_t>();
  value.compression = in.Text();
  value.compressed_size = in.Number<uint64_t>();
  value.uncompressed_size = in.Number<uint64_t>();
  return Checked(in, "ChunkIndex", std::move(value));
}

absl::StatusOr<Attachment> DecodeAttachment(std::string_view body) {
  WireTaker in(body);
  Attachment value;
  value.log_time_ns = in.Number<uint64_t>();
  value.create_time_ns = in.Number<uint64_t>();
  value.name = in.Text();
  value.media_type = in.Text();
  value.data = in.Bytes(in.Number<uint64_t>());
  const size_t covered = body.size() - in.size();
  const uint32_t crc = in.Number<uint32_t>();
  if (in.ok() && crc != 0 && crc != Crc32(0, body.substr(0, covered)))
    return absl::DataLossError("an Attachment record does not match its CRC");
  return Checked(in, "Attachment", std::move(value));
}

absl::StatusOr<AttachmentIndex> DecodeAttachmentIndex(std::string_view body) {
  WireTaker in(body);
  AttachmentIndex value;
  value.offset = in.Number<uint64_t>();
  value.length = in.Number<uint64_t>();
  value.log_time_ns = in.Number<uint64_t>();
  value.create_time_ns = in.Number<uint64_t>();
  value.data_size = in.Number<uint64_t>();
  value.name = in.Text();
  value.media_type = in.Text();
  return Checked(in, "AttachmentIndex", std::move(value));
}

absl::StatusOr<Statistics> DecodeStatistics(std::string_view body) {
  WireTaker in(body);
  Statistics value;
  value.message_count = in.Number<uint64_t>();
  value.schema_count = in.Number<uint16_t>();
  value.channel_count = in.Number<uint32_t>();
  value.attachment_count = in.Number<uint32_t>();
  value.metadata_count = in.Number<uint32_t>();
  value.chunk_count = in.Number<uint32_t>();
  value.message_start_time_ns = in.Number<uint64_t>();
  value.message_end_time_ns = in.Number<uint64_t>();
  ASSIGN_OR_RETURN(value.channel_message_counts,
                   (TakeNumbers<uint16_t, uint64_t>(in, "Statistics")));
  return Checked(in, "Statistics", std::move(value));
}

absl::StatusOr<Metadata> DecodeMetadata(std::string_view body) {
  WireTaker in(body);
  Metadata value;
  value.name = in.Text();
  ASSIGN_OR_RETURN(value.values, TakeMap(in, "Metadata"));
  return Checked(in, "Metadata", std::move(value));
}

absl::StatusOr<MetadataIndex> DecodeMetadataIndex(std::string_view body) {
  WireTaker in(body);
  MetadataIndex value;
  value.offset = in.Number<uint64_t>();
  value.length = in.Number<uint64_t>();
  value.name = in.Text();
  return Checked(in, "MetadataIndex", std::move(value));
}

absl::StatusOr<SummaryOffset> DecodeSummaryOffset(std::string_view body) {
  WireTaker in(body);
  SummaryOffset value;
  value.group_opcode = in.Number<uint8_t>();
  value.group_start = in.Number<uint64_t>();
  value.group_length = in.Number<uint64_t>();
  return Checked(in, "SummaryOffset", value);
}

absl::StatusOr<DataEnd> DecodeDataEnd(std::string_view body) {
  WireTaker in(body);
  DataEnd value;
  value.data_section_crc = in.Number<uint32_t>();
  return Checked(in, "DataEnd", value);
}

absl::StatusOr<Record> TakeRecord(std::string_view& rest, size_t total) {
  Record record;
  record.offset = total - rest.size();
  WireTaker in(rest);
  record.opcode = in.Number<uint8_t>();
  record.body = in.Bytes(in.Number<uint64_t>());
  if (!in.ok())
    return absl::DataLossError(
        absl::StrFormat("the record at byte %d of a chunk reaches beyond its end", record.offset));
  rest.remove_prefix(rest.size() - in.size());
  return record;
}

}  // namespace agent::recording
