#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/recording/mcap_records.h"

namespace agent::recording {

// Opcode (1 byte) and body length (8 bytes, little-endian) before every body.
inline constexpr size_t kRecordPrefix = 9;
// Fixed part of a Message's body: channel, sequence, log time, publish time.
inline constexpr size_t kMessagePrefix = 22;

// Appends the whole record, prefix included.
void Encode(const Header& value, std::string& out);
void Encode(const Footer& value, std::string& out);
void Encode(const Schema& value, std::string& out);
void Encode(const Channel& value, std::string& out);
void Encode(const Message& value, std::string& out);
void Encode(const Chunk& value, std::string& out);
void Encode(const MessageIndex& value, std::string& out);
void Encode(const ChunkIndex& value, std::string& out);
void Encode(const Attachment& value, std::string& out);  // with its CRC
void Encode(const AttachmentIndex& value, std::string& out);
void Encode(const Statistics& value, std::string& out);
void Encode(const Metadata& value, std::string& out);
void Encode(const MetadataIndex& value, std::string& out);
void Encode(const SummaryOffset& value, std::string& out);
void Encode(const DataEnd& value, std::string& out);

// From a record's body. kDataLoss when a field or a list reaches beyond the body; bytes after the
// last field are a later version's and are passed over. Nothing is allocated that the body does not
// hold.
absl::StatusOr<Header> DecodeHeader(std::string_view body);
absl::StatusOr<Footer> DecodeFooter(std::string_view body);
absl::StatusOr<Schema> DecodeSchema(std::string_view body);
absl::StatusOr<Channel> DecodeChannel(std::string_view body);
absl::StatusOr<Message> DecodeMessage(std::string_view body);  // data points into `body`
absl::StatusOr<Chunk> DecodeChunk(std::string_view body);      // records point into `body`
absl::StatusOr<MessageIndex> DecodeMessageIndex(std::string_view body);
absl::StatusOr<ChunkIndex> DecodeChunkIndex(std::string_view body);
absl::StatusOr<Attachment> DecodeAttachment(std::string_view body);  // CRC checked when given
absl::StatusOr<AttachmentIndex> DecodeAttachmentIndex(std::string_view body);
absl::StatusOr<Statistics> DecodeStatistics(std::string_view body);
absl::StatusOr<Metadata> DecodeMetadata(std::string_view body);
absl::StatusOr<MetadataIndex> DecodeMetadataIndex(std::string_view body);
absl::StatusOr<SummaryOffset> DecodeSummaryOffset(std::string_view body);
absl::StatusOr<DataEnd> DecodeDataEnd(std::string_view body);

// Takes the next record off the front of `rest`, the bytes of an uncompressed chunk of `total`
// bytes.
absl::StatusOr<Record> TakeRecord(std::string_view& rest, size_t total);

}  // namespace agent::recording
