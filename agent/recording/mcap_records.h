#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace agent::recording {

// The records of an MCAP file (mcap.dev/spec). Times are nanoseconds; strings of outside files are
// whatever bytes stood there. Only what a reader of ours looks at is a struct; other opcodes are
// passed over.
inline constexpr std::string_view kMcapMagic("\x89MCAP0\r\n", 8);

enum class Opcode : uint8_t {
  kHeader = 0x01,
  kFooter = 0x02,
  kSchema = 0x03,
  kChannel = 0x04,
  kMessage = 0x05,
  kChunk = 0x06,
  kMessageIndex = 0x07,
  kChunkIndex = 0x08,
  kAttachment = 0x09,
  kAttachmentIndex = 0x0A,
  kStatistics = 0x0B,
  kMetadata = 0x0C,
  kMetadataIndex = 0x0D,
  kSummaryOffset = 0x0E,
  kDataEnd = 0x0F,
};

using StringMap = std::map<std::string, std::string>;

struct Header {
  std::string profile = {};
  std::string library = {};
};

struct Footer {
  uint64_t summary_start = 0;  // 0: the file has no summary
  uint64_t summary_offset_start = 0;
  uint32_t summary_crc = 0;  // 0: not given
};

struct Schema {
  uint16_t id = 0;  // never 0
  std::string name = {};
  std::string encoding = {};  // "protobuf": data is a FileDescriptorSet
  std::string data = {};
  bool operator==(const Schema&) const = default;
};

struct Channel {
  uint16_t id = 0;
  uint16_t schema_id = 0;  // 0: messages have no schema
  std::string topic = {};
  std::string message_encoding = {};
  StringMap metadata = {};
  bool operator==(const Channel&) const = default;
};

// `data` points into the buffer the message was read from.
struct Message {
  uint16_t channel_id = 0;
  uint32_t sequence = 0;
  uint64_t log_time_ns = 0;
  uint64_t publish_time_ns = 0;
  std::string_view data = {};
};

struct Chunk {
  uint64_t start_time_ns = 0;
  uint64_t end_time_ns = 0;
  uint64_t uncompressed_size = 0;
  uint32_t uncompressed_crc = 0;  // 0: not given
  std::string compression = {};   // "", "lz4", "zstd"
  std::string_view records = {};
};

struct MessageIndex {
  uint16_t channel_id = 0;
  std::vector<std::pair<uint64_t, uint64_t>> entries =
      {};  // log time, offset in the uncompressed chunk
};

struct ChunkIndex {
  uint64_t start_time_ns = 0;
  uint64_t end_time_ns = 0;
  uint64_t chunk_offset = 0;
  uint64_t chunk_length = 0;
  std::map<uint16_t, uint64_t> message_index_offsets = {};
  uint64_t message_index_length = 0;
  std::string compression = {};
  uint64_t compressed_size = 0;
  uint64_t uncompressed_size = 0;
};

struct Attachment {
  uint64_t log_time_ns = 0;
  uint64_t create_time_ns = 0;
  std::string name = {};
  std::string media_type = {};
  std::string data = {};
};

struct AttachmentIndex {
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t log_time_ns = 0;
  uint64_t create_time_ns = 0;
  uint64_t data_size = 0;
  std::string name = {};
  std::string media_type = {};
};

struct Statistics {
  uint64_t message_count = 0;
  uint16_t schema_count = 0;
  uint32_t channel_count = 0;
  uint32_t attachment_count = 0;
  uint32_t metadata_count = 0;
  uint32_t chunk_count = 0;
  uint64_t message_start_time_ns = 0;
  uint64_t message_end_time_ns = 0;
  std::map<uint16_t, uint64_t> channel_message_counts = {};
};

struct Metadata {
  std::string name = {};
  StringMap values = {};
};

struct MetadataIndex {
  uint64_t offset = 0;
  uint64_t length = 0;
  std::string name = {};
};

struct SummaryOffset {
  uint8_t group_opcode = 0;
  uint64_t group_start = 0;
  uint64_t group_length = 0;
};

struct DataEnd {
  uint32_t data_section_crc = 0;  // 0: not given
};

// One record as it stands in a file or in an uncompressed chunk.
struct Record {
  uint8_t opcode = 0;
  uint64_t offset = 0;  // of its opcode, from the start of the file or chunk
  std::string_view body = {};
};

}  // namespace agent::recording
