// Shard files and the results in them. As any change breaks a file's digest, what is fuzzed is what
// somebody could put into a file that is whole: its index, and a result's content.

#include <unistd.h>

#include "agent/recording/compression.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/shard.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/target.h"

namespace {

namespace gates = gatekeeper::gates;
namespace v1 = gatekeeper::v1;

std::string Bytes(const agent::base::Digest& digest) {
  return {digest.bytes.begin(), digest.bytes.end()};
}

// A shard file around any index, as its writer would close it.
std::string WholeFile(const std::string& index) {
  std::string file = "GKSHARD1\nsome results";
  const auto offset = static_cast<uint64_t>(file.size());
  const auto packed = agent::recording::Compress(agent::recording::Compression::kZstd, index);
  fuzz::Check(packed.ok(), "zstd does not pack");
  file += *packed;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<char>(offset >> (8 * i)));
  return file + Bytes(agent::trust::Sha256(file)) + "\nGKSHARDEND\n";
}

void OpenAsFile(const std::string& bytes) {
  const auto fd = fuzz::MemoryFile(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  const auto file = gates::ShardFile::Open(fuzz::PathOf(fd));
  if (!file.ok()) return;
  for (const v1::ShardEntry& entry : file->index().entries()) {
    const auto result = file->Read(entry);
    fuzz::Check(result.ok() && result->size() == entry.size(), "an entry lies beyond the file");
  }
}

void Unpack(const v1::KeptResult& kept) {
  const gates::Scenario scenario;
  gates::Replay replay;
  if (!gates::Unpack(kept, scenario, replay).ok()) return;
  fuzz::Check(replay.measured.size() == replay.ticks.size(), "a pose a tick");
  for (const gates::Frame& frame : replay.frames)
    fuzz::Check(frame.tick < replay.ticks.size(), "a frame of no tick");
}

}  // namespace

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 4 << 20, .per_input_byte = 4096};

std::vector<std::string> fuzz::Seeds() {
  v1::ShardIndex index;
  index.set_schema("gate_shard/1");
  index.set_number(1);
  index.set_count(2);
  index.add_scenarios()->set_id("drive");
  index.add_intact(true);
  v1::ShardEntry& entry = *index.add_entries();
  entry.set_key_sha256(std::string(64, 'a'));
  entry.set_offset(9);
  entry.set_size(4);
  v1::KeptResult result;
  result.set_key("unit");
  v1::KeptReplay& replay = *result.mutable_replay();
  v1::TickRecord& tick = *replay.add_ticks();
  tick.set_state("NOMINAL");
  for (int i = 0; i < 5; ++i) replay.add_measured(i);
  replay.add_motion_clearance_m(1);
  replay.add_frame_tick(0);
  replay.add_frame_ns(1);
  replay.set_verdicts(Bytes(agent::trust::Sha256(tick.SerializeAsString())));
  return {index.SerializeAsString(), result.SerializeAsString(),
          WholeFile(index.SerializeAsString())};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  OpenAsFile(bytes);
  OpenAsFile(WholeFile(bytes));
  v1::KeptResult kept;
  if (kept.ParseFromString(bytes)) Unpack(kept);
  return 0;
}
