#pragma once

#include <optional>

#include "absl/status/status.h"
#include "agent/recording/mcap_reader.h"
#include "agent/recording/record_walk.h"

namespace agent::recording {

// The pass over the whole file by which McapReader::Open learns what it holds.
class McapScan {
 public:
  McapScan(McapReader& reader, uint64_t size);
  absl::Status Run();

 private:
  absl::Status Walk();
  absl::Status WalkData();
  absl::Status WalkSummary();
  absl::Status OnData(const Record& record);
  absl::Status OnHeader(const Record& record);
  absl::Status OnDataEnd(const Record& record);
  absl::Status OnSummary(const Record& record, bool& footer);
  absl::Status OnFooter(const Record& record);
  absl::Status CheckEnd();
  absl::Status OnMessage(const Record& record);
  absl::Status OnChunk(const Record& record);
  absl::Status OnDefinition(const Record& record);
  absl::Status Add(const Schema& schema);
  absl::Status Add(const Channel& channel);
  void CloseRun();
  absl::Status CutAt(uint64_t offset, const absl::Status& why);
  bool Complete() const;
  absl::Status CollectFromChunks();
  absl::StatusOr<bool> CollectFromChunk(const McapReader::Part& part);
  absl::Status CheckChannels() const;
  void FindTimes();
  absl::Status At(uint64_t offset, const absl::Status& status) const;

  McapReader& reader_;
  uint64_t size_;
  RecordWalk walk_;
  uint32_t crc_ = 0;  // of the data section, then of the summary
  uint64_t summary_start_ = 0;
  bool ended_ = false;  // DataEnd was met
  bool loose_ = false;  // messages outside chunks
  std::optional<McapReader::Part> run_;
  Buffer packed_;  // of the chunk at hand, and unpacked
  Buffer records_;
};

}  // namespace agent::recording
