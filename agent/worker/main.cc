#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "agent/base/unique_fd.h"
#include "agent/base/worker_channel.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/worker/sandbox.h"
#include "agent/worker/serve.h"

// gatekeeper-worker --model-fd N --channel-fd M [--library PATH]
// Started by gatekeeper-control; runs one unit's model and nothing else.
// Exit codes: 1 the model or the sandbox failed (the channel says why), 2 wrong usage.

namespace {

struct Arguments {
  int model_fd = -1;
  int channel_fd = -1;
  std::string library = agent::inference::DefaultLibraryPath();
};

std::optional<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--model-fd") {
      arguments.model_fd = std::atoi(argv[i + 1]);
    } else if (name == "--channel-fd") {
      arguments.channel_fd = std::atoi(argv[i + 1]);
    } else if (name == "--library") {
      arguments.library = argv[i + 1];
    } else {
      return std::nullopt;
    }
  }
  const bool complete = argc % 2 == 1 && arguments.model_fd > 2 && arguments.channel_fd > 2;
  return complete ? std::optional(arguments) : std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Arguments> arguments = Parse(argc, argv);
  if (!arguments) {
    std::fprintf(stderr, "usage: gatekeeper-worker --model-fd N --channel-fd M [--library PATH]\n");
    return 2;
  }
  auto channel = agent::base::WorkerChannel::Attach(agent::base::UniqueFd(arguments->channel_fd));
  if (!channel.ok()) {
    std::fprintf(stderr, "gatekeeper-worker: %s\n",
                 std::string(channel.status().message()).c_str());
    return 1;
  }
  const auto fail = [&channel](const absl::Status& status) {
    channel->SetState(agent::base::WorkerState::kFailed, std::string(status.message()));
    return 1;
  };
  if (const absl::Status limited = agent::worker::LimitProcess(); !limited.ok()) {
    return fail(limited);
  }
  auto loaded =
      agent::worker::LoadModel(arguments->model_fd, arguments->library, channel->signature());
  if (!loaded.ok()) return fail(loaded.status());
  if (const absl::Status sealed = agent::worker::SealProcess(); !sealed.ok()) return fail(sealed);
  channel->SetState(agent::base::WorkerState::kReady, loaded->numerics_key);
  agent::worker::Serve(*channel, *loaded->model);
}
