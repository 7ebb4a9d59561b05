#include "agent/recording/mcap_scan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/mcap_codec.h"

namespace agent::recording {
namespace {

constexpr uint64_t kRunBytes = 1 << 20;  // messages outside chunks are read in stretches of this
constexpr uint64_t kFooterBody = 20;
constexpr uint64_t kCrcBytes = 4;

// Damage that a cut-off or half-written file shows; recovery keeps what stands before it.
bool IsBreak(const absl::Status& status) {
  return absl::IsOutOfRange(status) || absl::IsDataLoss(status) ||
         absl::IsResourceExhausted(status);
}

// A record of a walk stands in its window right behind its prefix.
std::string_view WholeOf(const Record& record) {
  return {record.body.data() - kRecordPrefix, record.body.size() + kRecordPrefix};
}

}  // namespace

McapScan::McapScan(McapReader& reader, uint64_t size)
    : reader_(reader),
      size_(size),
      walk_(reader.fd_.get(), 0, size,
            {.record_bytes = reader.options_.max_record_bytes,
             .chunk_bytes = reader.options_.max_chunk_bytes + kChunkFieldRoom}) {}

absl::Status McapScan::At(uint64_t offset, const absl::Status& status) const {
  const absl::StatusCode code = absl::IsOutOfRange(status) || absl::IsAborted(status)
                                    ? absl::StatusCode::kDataLoss
                                    : status.code();
  return absl::Status(code, absl::StrFormat("%s: byte %d: %s", reader_.path_, offset,
                                            std::string(status.message())));
}

absl::Status McapScan::Run() {
  const absl::StatusOr<std::string_view> magic = walk_.Take(kMcapMagic.size());
  if (!magic.ok() || *magic != kMcapMagic)
    return absl::DataLossError(reader_.path_ + ": byte 0: is not an MCAP file (no magic)");
  crc_ = Crc32(0, *magic);
  RETURN_IF_ERROR(Walk());
  if (!Complete()) RETURN_IF_ERROR(CollectFromChunks());
  RETURN_IF_ERROR(CheckChannels());
  FindTimes();
  return absl::OkStatus();
}

absl::Status McapScan::Walk() {
  absl::Status status = WalkData();
  if (status.ok()) status = WalkSummary();
  return status;
}

// Reads until DataEnd, or in recovery until the break.
absl::Status McapScan::WalkData() {
  while (!ended_) {
    const uint64_t offset = walk_.offset();
    const absl::StatusOr<std::optional<Record>> record = walk_.Next();
    absl::Status status = record.status();
    if (status.ok() && !record->has_value())
      status = absl::OutOfRangeError("the file breaks off before its DataEnd record");
    if (status.ok()) status = OnData(**record);
    if (!status.ok()) return CutAt(offset, status);
  }
  return absl::OkStatus();
}

// With Truncation::kRecover a break ends the walk and is remembered; otherwise it is the error.
absl::Status McapScan::CutAt(uint64_t offset, const absl::Status& why) {
  CloseRun();
  if (!IsBreak(why) || reader_.options_.truncation == Truncation::kRefuse) return At(offset, why);
  reader_.recovery_ =
      Recovery{.kept_bytes = offset,
               .lost_bytes = size_ - offset,
               .why = absl::StrFormat("byte %d: %s", offset, std::string(why.message()))};
  reader_.end_offset_ = offset;
  reader_.statistics_.reset();
  return absl::OkStatus();
}

absl::Status McapScan::OnData(const Record& record) {
  const auto opcode = static_cast<Opcode>(record.opcode);
  if (record.offset == kMcapMagic.size() && opcode != Opcode::kHeader)
    return absl::DataLossError("the first record is not a Header");
  if (opcode == Opcode::kDataEnd) return OnDataEnd(record);
  crc_ = Crc32(crc_, WholeOf(record));
  if (opcode != Opcode::kMessage && opcode != Opcode::kSchema && opcode != Opcode::kChannel)
    CloseRun();
  switch (opcode) {
    case Opcode::kHeader:
      return OnHeader(record);
    case Opcode::kSchema:
    case Opcode::kChannel:
      return OnDefinition(record);
    case Opcode::kMessage:
      return OnMessage(record);
    case Opcode::kChunk:
      return OnChunk(record);
    case Opcode::kAttachment:
      return DecodeAttachment(record.body).status();
    case Opcode::kMetadata:
      return DecodeMetadata(record.body).status();
    case Opcode::kFooter:
      return absl::DataLossError("a Footer stands before the DataEnd record");
    default:
      return absl::OkStatus();
  }
}

absl::Status McapScan::OnHeader(const Record& record) {
  ASSIGN_OR_RETURN(reader_.header_, DecodeHeader(record.body));
  return absl::OkStatus();
}

absl::Status McapScan::OnDataEnd(const Record& record) {
  CloseRun();
  ASSIGN_OR_RETURN(const DataEnd end, DecodeDataEnd(record.body));
  if (end.data_section_crc == 0 && loose_) reader_.checksummed_ = false;
  if (end.data_section_crc != 0) reader_.checksummed_ = reader_.some_checksums_ = true;
  ended_ = true;
  if (end.data_section_crc == 0 || end.data_section_crc == crc_) return absl::OkStatus();
  // Not a break: every record is whole, one of them lies. Recovery must not hide that.
  return absl::AbortedError(
      absl::StrFormat("the data section's CRC is %08x and DataEnd states %08x; the file is damaged",
                      crc_, end.data_section_crc));
}

absl::Status McapScan::OnMessage(const Record& record) {
  ASSIGN_OR_RETURN(const Message message, DecodeMessage(record.body));
  loose_ = true;
  if (!run_) reader_.compressions_.insert("none");
  if (!run_)
    run_ = McapReader::Part{.offset = record.offset,
                            .length = 0,
                            .start_ns = message.log_time_ns,
                            .end_ns = message.log_time_ns};
  run_->start_ns = std::min(run_->start_ns, message.log_time_ns);
  run_->end_ns = std::max(run_->end_ns, message.log_time_ns);
  run_->length = record.offset + kRecordPrefix + record.body.size() - run_->offset;
  if (run_->length >= kRunBytes) CloseRun();
  return absl::OkStatus();
}

void McapScan::CloseRun() {
  if (run_) reader_.parts_.push_back(*run_);
  run_.reset();
}

absl::Status McapScan::OnChunk(const Record& record) {
  ASSIGN_OR_RETURN(const Chunk chunk, DecodeChunk(record.body));
  RETURN_IF_ERROR(ParseCompression(chunk.compression).status());
  if (chunk.start_time_ns > chunk.end_time_ns)
    return absl::DataLossError("a chunk ends before it starts");
  (chunk.uncompressed_crc == 0 ? reader_.checksummed_ : reader_.some_checksums_) =
      chunk.uncompressed_crc != 0;
  reader_.compressions_.insert(chunk.compression.empty() ? "none" : chunk.compression);
  reader_.parts_.push_back({.offset = record.offset + kRecordPrefix,
                            .length = record.body.size(),
                            .start_ns = chunk.start_time_ns,
                            .end_ns = chunk.end_time_ns,
                            .chunk = true});
  return absl::OkStatus();
}

absl::Status McapScan::OnDefinition(const Record& record) {
  if (record.opcode == static_cast<uint8_t>(Opcode::kSchema)) {
    ASSIGN_OR_RETURN(const Schema schema, DecodeSchema(record.body));
    return Add(schema);
  }
  ASSIGN_OR_RETURN(const Channel channel, DecodeChannel(record.body));
  return Add(channel);
}

absl::Status McapScan::Add(const Schema& schema) {
  const uint16_t id = schema.id;
  const auto [at, added] = reader_.schemas_.try_emplace(id, schema);
  if (!added && at->second != schema)
    return absl::DataLossError(absl::StrFormat("schema %d is defined twice, differently", id));
  return absl::OkStatus();
}

absl::Status McapScan::Add(const Channel& channel) {
  const uint16_t id = channel.id;
  const auto [at, added] = reader_.channels_.try_emplace(id, channel);
  if (!added && at->second != channel)
    return absl::DataLossError(absl::StrFormat("channel %d is defined twice, differently", id));
  return absl::OkStatus();
}

// From behind DataEnd to the closing magic.
absl::Status McapScan::WalkSummary() {
  if (reader_.recovery_) return absl::OkStatus();
  summary_start_ = walk_.offset();
  crc_ = 0;
  bool footer = false;
  while (!footer) {
    const uint64_t offset = walk_.offset();
    const absl::StatusOr<std::optional<Record>> record = walk_.Next();
    absl::Status status = record.status();
    if (status.ok() && !record->has_value())
      status = absl::OutOfRangeError("the file breaks off before its footer");
    if (!status.ok()) return CutAt(offset, status);
    status = OnSummary(**record, footer);
    if (!status.ok()) return At(offset, status);
  }
  return CheckEnd();
}

absl::Status McapScan::OnSummary(const Record& record, bool& footer) {
  const auto opcode = static_cast<Opcode>(record.opcode);
  footer = opcode == Opcode::kFooter;
  if (footer) return OnFooter(record);
  crc_ = Crc32(crc_, WholeOf(record));
  if (opcode == Opcode::kSchema || opcode == Opcode::kChannel) return OnDefinition(record);
  if (opcode == Opcode::kStatistics) {
    ASSIGN_OR_RETURN(reader_.statistics_, DecodeStatistics(record.body));
  }
  return absl::OkStatus();
}

absl::Status McapScan::OnFooter(const Record& record) {
  if (record.body.size() != kFooterBody) return absl::DataLossError("the footer has not 20 bytes");
  ASSIGN_OR_RETURN(const Footer footer, DecodeFooter(record.body));
  const std::string_view whole = WholeOf(record);
  crc_ = Crc32(crc_, whole.substr(0, whole.size() - kCrcBytes));
  if (footer.summary_crc != 0 && footer.summary_crc != crc_)
    return absl::DataLossError("the summary does not match its CRC");
  if (footer.summary_start != (summary_start_ == record.offset ? 0 : summary_start_))
    return absl::DataLossError("the footer points elsewhere than to the summary");
  return absl::OkStatus();
}

absl::Status McapScan::CheckEnd() {
  const uint64_t offset = walk_.offset();
  const absl::StatusOr<std::string_view> magic = walk_.Take(kMcapMagic.size());
  if (!magic.ok() || *magic != kMcapMagic)
    return CutAt(offset, absl::DataLossError("the closing magic is missing"));
  if (walk_.offset() != size_)
    return At(walk_.offset(), absl::DataLossError("bytes follow the closing magic"));
  reader_.end_offset_ = offset;
  return absl::OkStatus();
}

// Whether the summary named every channel, so that no chunk needs to be opened for them.
bool McapScan::Complete() const {
  if (!reader_.statistics_ || reader_.statistics_->channel_count != reader_.channels_.size())
    return false;
  return std::all_of(reader_.channels_.begin(), reader_.channels_.end(), [this](const auto& entry) {
    return entry.second.schema_id == 0 || reader_.schemas_.contains(entry.second.schema_id);
  });
}

absl::Status McapScan::CollectFromChunks() {
  std::vector<McapReader::Part> kept;
  for (const McapReader::Part& part : reader_.parts_) {
    const absl::StatusOr<bool> has_messages = part.chunk ? CollectFromChunk(part) : true;
    if (has_messages.ok()) {
      if (*has_messages) kept.push_back(part);
      continue;
    }
    // A power cut can leave the last chunks' pages empty: what stands before them is kept.
    if (!reader_.recovery_) return has_messages.status();
    RETURN_IF_ERROR(CutAt(part.offset - kRecordPrefix, has_messages.status()));
    break;
  }
  reader_.parts_ = std::move(kept);
  return absl::OkStatus();
}

// Takes the chunk's schemas and channels; whether it holds messages as well.
absl::StatusOr<bool> McapScan::CollectFromChunk(const McapReader::Part& part) {
  RETURN_IF_ERROR(reader_.LoadPart(part, packed_, records_));
  bool has_messages = false;
  std::string_view rest = records_.view();
  while (!rest.empty()) {
    const absl::StatusOr<Record> record = TakeRecord(rest, records_.size);
    absl::Status status = record.status();
    const auto opcode = status.ok() ? static_cast<Opcode>(record->opcode) : Opcode::kHeader;
    if (opcode == Opcode::kMessage) has_messages = true;
    if (opcode == Opcode::kSchema || opcode == Opcode::kChannel) status = OnDefinition(*record);
    if (!status.ok()) return At(part.offset, status);
  }
  return has_messages;
}

absl::Status McapScan::CheckChannels() const {
  for (const auto& [id, channel] : reader_.channels_)
    if (channel.schema_id != 0 && !reader_.schemas_.contains(channel.schema_id))
      return absl::DataLossError(
          absl::StrFormat("%s: channel %d (%s) refers to schema %d, which the file has not",
                          reader_.path_, id, channel.topic, channel.schema_id));
  return absl::OkStatus();
}

void McapScan::FindTimes() {
  if (reader_.statistics_) {
    reader_.start_ns_ = reader_.statistics_->message_start_time_ns;
    reader_.end_ns_ = reader_.statistics_->message_end_time_ns;
    return;
  }
  for (const McapReader::Part& part : reader_.parts_) {
    const bool first = &part == &reader_.parts_.front();
    reader_.start_ns_ = first ? part.start_ns : std::min(reader_.start_ns_, part.start_ns);
    reader_.end_ns_ = first ? part.end_ns : std::max(reader_.end_ns_, part.end_ns);
  }
  if (reader_.recovery_ && loose_) reader_.checksummed_ = false;
}

}  // namespace agent::recording
