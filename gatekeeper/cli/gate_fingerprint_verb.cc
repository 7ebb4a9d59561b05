#include <cstdio>
#include <string>
#include <vector>

#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/fingerprint.h"

namespace gatekeeper::cli {
namespace {

struct FingerprintArguments {
  std::vector<std::string> files;
  std::vector<std::string> channels;  // channel=topic
};

absl::Status Print(const FingerprintArguments& arguments) {
  agent::recording::ChannelMap channels;
  for (const std::string& text : arguments.channels) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      return absl::InvalidArgumentError("--channel must be CHANNEL=TOPIC, found '" + text + "'");
    }
    channels[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const std::string& file : arguments.files) {
    std::printf("# %s\n", file.c_str());
    RETURN_IF_ERROR(gates::ForEachFingerprint(
        file, channels, [](const gates::Fingerprint& fingerprint, int64_t, const char*) {
          std::puts(gates::ToText(fingerprint).c_str());
          return absl::OkStatus();
        }));
  }
  return absl::OkStatus();
}

}  // namespace

void AddGateFingerprintVerb(CLI::App& gate, Session& session) {
  auto arguments = std::make_shared<FingerprintArguments>();
  CLI::App* verb = gate.add_subcommand(
      "fingerprint", "print the list that the leakage gate asks what a model was trained on");
  verb->add_option("FILE", arguments->files, "recordings (MCAP) and images (JPEG)")->required();
  verb->add_option("--channel", arguments->channels,
                   "CHANNEL=TOPIC of recordings that are not this project's own, as in a scenario");
  verb->callback([arguments, &session] { session.exit_code = Report(Print(*arguments)); });
}

}  // namespace gatekeeper::cli
