#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"
#include "agent/recording/compression.h"
#include "agent/recording/mcap_records.h"

namespace agent::recording {

struct McapWriterOptions {
  std::string profile = {};
  Compression compression = Compression::kZstd;
  size_t chunk_bytes = 1 << 20;  // a chunk is closed when its records reach this size ...
  uint64_t chunk_span_ns =
      1'000'000'000;  // ... or its messages span this much log time: what a kill costs
};

// Writes one MCAP file: chunks with CRC and message indexes, data-section CRC, summary with
// statistics and indexes, summary CRC. A chunk reaches the kernel in one write, so what a killed
// process leaves is whole up to its last chunk; McapReader recovers it. After an error every
// further call returns that error. A writer destroyed without Close leaves such an unfinished file.
// One thread at a time.
class McapWriter {
 public:
  // Replaces the file at `path`. A full disk is kResourceExhausted here and in every call below.
  static absl::StatusOr<McapWriter> Create(const std::string& path, McapWriterOptions options);

  // Equal schemas and channels are written once; the same id comes back. Ids start at 1.
  absl::StatusOr<uint16_t> AddSchema(std::string_view name, std::string_view encoding,
                                     std::string_view data);
  absl::StatusOr<uint16_t> AddChannel(uint16_t schema_id, std::string_view topic,
                                      std::string_view message_encoding, const StringMap& metadata);
  // kInvalidArgument when the channel was not added here.
  absl::Status Write(const Message& message);
  absl::Status Write(const Attachment& attachment);
  absl::Status Write(const Metadata& metadata);

  absl::Status Flush();  // closes the open chunk and hands it to the kernel
  absl::Status Close();  // Flush, summary, footer, fdatasync; nothing may be written afterwards

  uint64_t bytes_written() const {
    return offset_ + chunk_.size();
  }                                                        // open chunk counted uncompressed
  size_t chunks() const { return chunk_indexes_.size(); }  // that reached the kernel
  const std::string& path() const { return path_; }

 private:
  McapWriter() = default;
  absl::Status Put(std::string_view bytes);
  absl::Status CloseChunk();
  bool ChunkIsFullFor(const Message& message) const;
  std::string Summary() const;

  std::string path_;
  McapWriterOptions options_;
  agent::base::UniqueFd fd_;
  absl::Status failed_;
  bool closed_ = false;
  uint64_t offset_ = 0;
  uint32_t data_crc_ = 0;

  std::vector<Schema> schemas_;
  std::vector<Channel> channels_;
  Statistics statistics_;

  std::string chunk_;
  uint64_t chunk_start_ns_ = 0;
  uint64_t chunk_end_ns_ = 0;
  uint64_t last_log_time_ns_ = 0;
  std::map<uint16_t, MessageIndex> chunk_messages_;

  std::vector<ChunkIndex> chunk_indexes_;
  std::vector<AttachmentIndex> attachment_indexes_;
  std::vector<MetadataIndex> metadata_indexes_;
};

}  // namespace agent::recording
