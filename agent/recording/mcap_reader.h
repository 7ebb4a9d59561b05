#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"
#include "agent/recording/compression.h"
#include "agent/recording/mcap_records.h"

namespace agent::recording {

enum class Truncation {
  kRefuse,   // a file that does not end with its footer is kDataLoss
  kRecover,  // read what is whole; recovery() says where the file broke off
};

struct McapReaderOptions {
  Truncation truncation = Truncation::kRefuse;
  uint64_t max_record_bytes = 64ull << 20;  // any record except a chunk
  uint64_t max_chunk_bytes = 64ull << 20;   // compressed, and uncompressed
  uint64_t max_open_bytes = 256ull << 20;   // uncompressed chunks that overlap in time, together
};

// What was kept of a file that was cut off.
struct Recovery {
  uint64_t kept_bytes = 0;
  uint64_t lost_bytes = 0;
  std::string why;
};

// Which messages to deliver; empty topics mean all.
struct MessageFilter {
  std::set<std::string> topics = {};
  uint64_t from_ns = 0;         // first log time
  uint64_t to_ns = UINT64_MAX;  // last log time, included
};

// Reads one MCAP file, whoever wrote it. Open passes once over the whole file (bounded memory) and
// checks its structure and every CRC that is given outside chunks; chunk CRCs are checked when a
// chunk is opened. The file's own indexes are not needed and not believed. Errors name the file and
// the byte offset: kDataLoss for damage, kResourceExhausted for sizes above the options' caps,
// kNotFound for an absent file. Memory: the chunks that overlap in log time, never the file. One
// thread at a time.
class McapReader {
 public:
  static absl::StatusOr<McapReader> Open(const std::string& path, McapReaderOptions options = {});

  const std::string& path() const { return path_; }
  const Header& header() const { return header_; }
  const std::map<uint16_t, Schema>& schemas() const { return schemas_; }
  const std::map<uint16_t, Channel>& channels() const { return channels_; }
  const std::optional<Statistics>& statistics() const { return statistics_; }
  const std::optional<Recovery>& recovery() const { return recovery_; }
  // Log times of the first and last message as the chunks state them; 0 and 0 without messages.
  uint64_t start_ns() const { return start_ns_; }
  uint64_t end_ns() const { return end_ns_; }
  // True when every message is covered by a CRC (writers may leave them out).
  bool checksummed() const { return checksummed_; }
  // True when at least some are.
  bool some_checksums() const { return some_checksums_; }
  // Names of the compressions met: "none", "lz4", "zstd".
  const std::set<std::string>& compressions() const { return compressions_; }

  // In log-time order; messages of equal log time in the order of the file. The message's data
  // lives until the callback returns; an error from the callback ends the reading and is returned.
  using MessageCallback = std::function<absl::Status(const Channel&, const Message&)>;
  absl::Status ForEachMessage(const MessageFilter& filter, const MessageCallback& callback) const;

  // Every top-level record in the order of the file, chunks unopened, up to the footer or the cut.
  using RecordCallback = std::function<absl::Status(const Record&)>;
  absl::Status ForEachRecord(const RecordCallback& callback) const;

  absl::StatusOr<std::vector<Metadata>> ReadMetadata() const;
  absl::StatusOr<std::vector<Attachment>> ReadAttachments() const;  // CRCs checked

 private:
  friend class McapScan;
  // A stretch of the file that holds messages: one chunk, or a run of messages outside any chunk.
  struct Part {
    uint64_t offset = 0;
    uint64_t length = 0;
    uint64_t start_ns = 0;
    uint64_t end_ns = 0;
    bool chunk = false;
  };
  class Merge;
  McapReader() = default;
  // Into `records`; `packed` is room for what stands in the file. Both keep their memory.
  absl::Status LoadPart(const Part& part, Buffer& packed, Buffer& records) const;
  absl::Status CheckCount(const MessageFilter& filter, uint64_t delivered) const;

  std::string path_;
  McapReaderOptions options_;
  agent::base::UniqueFd fd_;
  Header header_;
  std::map<uint16_t, Schema> schemas_;
  std::map<uint16_t, Channel> channels_;
  std::optional<Statistics> statistics_;
  std::optional<Recovery> recovery_;
  std::vector<Part> parts_;
  uint64_t end_offset_ = 0;  // records stand before this byte
  uint64_t start_ns_ = 0;
  uint64_t end_ns_ = 0;
  bool checksummed_ = true;
  bool some_checksums_ = false;
  std::set<std::string> compressions_;
};

}  // namespace agent::recording
