#include <algorithm>
#include <cstring>

#include "agent/base/worker_channel.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/target.h"

// The shared memory between control and a worker, as a worker finds it.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 16'384, .per_input_byte = 1};

namespace {

using agent::base::WorkerChannel;

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  std::vector<std::string> seeds;
  for (const int64_t elements : {3, 64}) {
    const auto channel = WorkerChannel::Create(
        {.inputs = {{"scan", {1, elements}}, {"odom", {1, 2}}}, .outputs = {{"command", {1, 2}}}});
    Check(channel.ok(), "the seed is refused");
    seeds.push_back(FileText("/proc/self/fd/" + std::to_string(channel->fd())));
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  agent::base::UniqueFd fd = fuzz::MemoryFile(data, size);
  fuzz::Check(fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0, "cannot be sealed");
  auto channel = WorkerChannel::Attach(std::move(fd));
  if (!channel.ok()) return 0;
  channel->state();
  fuzz::Check(channel->text().size() < 512, "a text that is too long");
  for (size_t i = 0; i < channel->signature().inputs.size(); ++i) {
    std::ranges::fill(channel->input(i), 1.0F);
  }
  for (size_t i = 0; i < channel->signature().outputs.size(); ++i) {
    std::ranges::fill(channel->output(i), 2.0F);
  }
  const uint32_t sequence = channel->Post();
  channel->Answer(sequence, agent::base::RunOutcome::kDone);
  channel->WaitAnswer(sequence, agent::base::Nanos{1});
  return 0;
}
