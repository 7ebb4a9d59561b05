#include <cstdio>

#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/corpus.h"

namespace gatekeeper::cli {

void AddGateKeepVerb(CLI::App& gate, Session& session) {
  auto kept = std::make_shared<gates::KeptClip>();
  CLI::App* verb = gate.add_subcommand("keep", "add a clip to a regression corpus");
  verb->add_option("CLIP", kept->clip, "MCAP file, e.g. a counterexample of gate run --clips")
      ->required();
  verb->add_option("--corpus", kept->corpus,
                   "folder of the corpus, in a checked-out policy repository")
      ->required();
  verb->add_flag("--not-imitated", kept->not_imitated,
                 "what was driven in it was wrong: only envelope and requirements are judged");
  verb->callback([kept, &session] {
    const auto id = gates::KeepClip(*kept);
    if (id.ok()) std::printf("kept %s in %s; commit it\n", id->c_str(), kept->corpus.c_str());
    session.exit_code = Report(id.status());
  });
}

}  // namespace gatekeeper::cli
