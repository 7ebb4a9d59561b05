#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "agent/base/unique_fd.h"
#include "agent/base/worker_channel.h"
#include "agent/worker/serve.h"
#include "agent/worker/trial.h"

// gatekeeper-worker --model-fd N --channel-fd M [--golden-fd N] [--library PATH]
//                   [--providers LIST] [--memory-mib N] [--load-cpu-s N]
// Started by gatekeeper-control; runs one unit's model and nothing else.
// Exit codes: 1 the model or the sandbox failed (the channel says why), 2 wrong usage.

namespace {

constexpr uint32_t kMostMemoryMib = 1 << 20;  // 1 TiB: a slip of the finger, not a robot

struct Arguments {
  int channel_fd = -1;
  agent::worker::TrialOrder order{.library = agent::inference::DefaultLibraryPath(),
                                  .providers = {agent::base::ExecutionProvider::kCpu},
                                  .limits = {}};
};

bool TakeNumber(const char* text, uint32_t most, uint32_t& number) {
  return absl::SimpleAtoi(text, &number) && number > 0 && number <= most;
}

bool TakeProviders(const char* text, std::vector<agent::base::ExecutionProvider>& providers) {
  auto parsed = agent::base::ParseProviders(absl::StrSplit(text, ','));
  if (parsed.ok()) providers = *std::move(parsed);
  return parsed.ok();
}

bool Take(const std::string& name, const char* value, Arguments& arguments) {
  agent::worker::TrialOrder& order = arguments.order;
  if (name == "--model-fd") return absl::SimpleAtoi(value, &order.model_fd);
  if (name == "--channel-fd") return absl::SimpleAtoi(value, &arguments.channel_fd);
  if (name == "--golden-fd") return absl::SimpleAtoi(value, &order.golden_fd);
  if (name == "--providers") return TakeProviders(value, order.providers);
  if (name == "--load-cpu-s") return TakeNumber(value, 86'400, order.limits.load_cpu_s);
  if (name == "--library") {
    order.library = value;
    return true;
  }
  uint32_t mib = 0;
  if (name != "--memory-mib" || !TakeNumber(value, kMostMemoryMib, mib)) return false;
  order.limits.memory_bytes = uint64_t{mib} << 20;
  return true;
}

std::optional<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!Take(argv[i], argv[i + 1], arguments)) return std::nullopt;
  }
  const bool complete = argc % 2 == 1 && arguments.order.model_fd > 2 && arguments.channel_fd > 2;
  return complete ? std::optional(std::move(arguments)) : std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Arguments> arguments = Parse(argc, argv);
  if (!arguments) {
    std::fprintf(stderr,
                 "usage: gatekeeper-worker --model-fd N --channel-fd M [--golden-fd N] [--library "
                 "PATH] [--providers LIST] [--memory-mib N] [--load-cpu-s N]\n");
    return 2;
  }
  auto channel = agent::base::WorkerChannel::Attach(agent::base::UniqueFd(arguments->channel_fd));
  if (!channel.ok()) {
    std::fprintf(stderr, "gatekeeper-worker: %s\n",
                 std::string(channel.status().message()).c_str());
    return 1;
  }
  // Without the library's farewell: a sealed process would be killed for it.
  const auto fail = [&channel](const absl::Status& status) {
    channel->SetState(agent::base::WorkerState::kFailed, std::string(status.message()));
    std::_Exit(1);
  };
  const absl::Status limited = agent::worker::LimitProcess(arguments->order.limits);
  if (!limited.ok()) fail(limited);
  auto tried = agent::worker::Try(arguments->order, channel->signature());
  if (!tried.ok()) fail(tried.status());
  channel->SetState(agent::base::WorkerState::kReady, tried->report);
  agent::worker::Serve(*channel, *tried->model);
}
