#include "gatekeeper/ingest/recording_file.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/target.h"
#include "tests/gatekeeper/ingest/ulog_bytes.h"

// An autopilot's log: whatever its definitions claim, what is counted is what is delivered, in
// order of time.

// A table of 65,536 message ids is what two bytes can ask for.
const fuzz::Allowance fuzz::kAllowance{.base_bytes = 4'000'000, .per_input_byte = 64};

namespace {

using gatekeeper::ingest::OpenRecording;
using gatekeeper::ingest::RawMessage;
using gatekeeper::ingest::Topic;

std::string SmallLog() {
  const std::string rest(12, 'p');
  return tests::UlogBytes()
      .Flags(0, 0)
      .Format("power:uint64_t timestamp;float volt;cell[2] cells;")
      .Format("cell:uint16_t mv;uint8_t id;uint8_t _padding0;")
      .Parameter("float GAIN", 0x3f000000)
      .Subscribe(0, "power")
      .Subscribe(1, "power", 1)
      .Data(0, 2000, rest)
      .Data(1, 1500, rest)
      .Add('O', std::string("\x1e\0", 2))
      .Add('L', std::string("4") + tests::UlogBytes::Number(uint64_t{1800}) + "low")
      .Data(0, 3000, rest)
      .bytes();
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  std::vector<std::string> seeds = {SmallLog()};
  std::string bytes = RecordingBytes("ulog/sample_log_small.ulg", 64 << 10);
  if (!bytes.empty()) seeds.push_back(std::move(bytes));
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (!fuzz::Text(data, size).starts_with("ULog")) return 0;  // other containers have their own
  const agent::base::UniqueFd fd = fuzz::MemoryFile(data, size);
  const auto file = OpenRecording(fuzz::PathOf(fd));
  if (!file.ok()) return 0;
  uint64_t counted = 0;
  for (const Topic& topic : (*file)->topics()) counted += topic.messages;
  int64_t last = INT64_MIN;
  const absl::Status read =
      (*file)->ForEachMessage({}, [&](const Topic& topic, const RawMessage& message) {
        fuzz::Check(message.log_time_ns >= last, "messages out of order");
        fuzz::Check(topic.id < (*file)->topics().size(), "a topic that is not listed");
        last = message.log_time_ns;
        --counted;
        return absl::OkStatus();
      });
  if (read.ok()) fuzz::Check(counted == 0, "other messages were counted than are delivered");
  return 0;
}
