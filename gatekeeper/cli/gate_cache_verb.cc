#include <cstdio>

#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/replay_cache.h"

namespace gatekeeper::cli {
namespace {

struct CacheArguments {
  std::string folder;
  uint64_t most_mib = 0;
};

constexpr uint64_t kMib = uint64_t{1} << 20;

absl::Status Prune(const CacheArguments& arguments, bool prune) {
  const uint64_t most = prune ? arguments.most_mib * kMib : UINT64_MAX;
  ASSIGN_OR_RETURN(const gates::CacheSize size, gates::PruneCache(arguments.folder, most));
  std::printf("%lu results, %.1f MiB; %lu removed\n", static_cast<unsigned long>(size.results),
              static_cast<double>(size.bytes) / static_cast<double>(kMib),
              static_cast<unsigned long>(size.removed));
  return absl::OkStatus();
}

}  // namespace

void AddGateCacheVerb(CLI::App& gate, Session& session) {
  auto arguments = std::make_shared<CacheArguments>();
  CLI::App* cache = gate.add_subcommand("cache", "how much a cache of results holds");
  cache->add_option("DIR", arguments->folder, "the folder of `gate run --cache`")->required();
  CLI::Option* most =
      cache->add_option("--prune-mib", arguments->most_mib,
                        "remove the results that were longest not used until so many MiB are left");
  most->check(CLI::Range(uint64_t{0}, uint64_t{1} << 30));
  cache->callback([arguments, most, &session] {
    session.exit_code = Report(Prune(*arguments, most->count() > 0));
  });
}

}  // namespace gatekeeper::cli
