#include "agent/recording/mcap_reader.h"
#include "agent/recording/mcap_writer.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/observation_writer.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/target.h"

// A whole recording, read strictly, with recovery, and as what a robot received.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 2'000'000, .per_input_byte = 16};

namespace {

using agent::recording::McapReader;
using agent::recording::McapReaderOptions;
using agent::recording::ObservationReader;

McapReaderOptions Options(agent::recording::Truncation truncation) {
  return {.truncation = truncation,
          .max_record_bytes = 256 << 10,
          .max_chunk_bytes = 256 << 10,
          .max_open_bytes = 1 << 20};
}

std::string SmallDrive() {
  const agent::base::UniqueFd fd = fuzz::MemoryFile(nullptr, 0);
  auto writer = agent::recording::ObservationWriter::Create(fuzz::PathOf(fd));
  fuzz::Check(writer.ok(), "the seed cannot be written");
  for (int i = 0; i < 3; ++i) {
    gatekeeper::v1::Observation packet;
    packet.set_seq(static_cast<uint64_t>(i));
    packet.set_stamp_ns(1'000'000 * i);
    for (int beam = 0; beam < 8; ++beam) packet.mutable_scan()->add_ranges_m(2);
    packet.mutable_odom()->set_x_m(i);
    (*packet.mutable_signals())["goal_range_m"].set_value(3);
    fuzz::Check(writer->Write(packet, agent::base::Nanos(1'000'000 * i)).ok(), "seed");
  }
  fuzz::Check(writer->Close().ok(), "the seed cannot be closed");
  return fuzz::FileText(fuzz::PathOf(fd));
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  std::vector<std::string> seeds = {SmallDrive()};
  for (const char* name : {"rosbag2/talker.mcap", "rosbag2/cdr_test_0.mcap", "rosbag2/wbag_0.mcap",
                           "rosbag2/only_topics.mcap"}) {
    std::string bytes = RecordingBytes(name, 64 << 10);
    if (!bytes.empty()) seeds.push_back(std::move(bytes));
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const agent::base::UniqueFd fd = fuzz::MemoryFile(data, size);
  for (const auto truncation :
       {agent::recording::Truncation::kRefuse, agent::recording::Truncation::kRecover}) {
    const auto reader = McapReader::Open(fuzz::PathOf(fd), Options(truncation));
    if (!reader.ok()) continue;
    uint64_t last = 0;
    reader
        ->ForEachMessage({},
                         [&](const auto&, const agent::recording::Message& message) {
                           fuzz::Check(message.log_time_ns >= last, "messages out of order");
                           last = message.log_time_ns;
                           return absl::OkStatus();
                         })
        .IgnoreError();
    reader->ForEachRecord([](const auto&) { return absl::OkStatus(); }).IgnoreError();
    reader->ReadMetadata().status().IgnoreError();
    reader->ReadAttachments().status().IgnoreError();
  }
  const auto packets = ObservationReader::Open(fuzz::PathOf(fd), {},
                                               Options(agent::recording::Truncation::kRecover));
  if (packets.ok()) packets->ForEach([](const auto&) { return absl::OkStatus(); }).IgnoreError();
  return 0;
}
