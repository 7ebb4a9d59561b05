#include "gatekeeper/cli/verbs.h"

namespace gatekeeper::cli {

void AddGateVerbs(CLI::App& app, Session& session) {
  CLI::App* gate = app.add_subcommand("gate", "safety gates over recorded robot life");
  gate->require_subcommand(1);
  gate->fallthrough();
  AddGateRunVerb(*gate, session);
  AddGateMergeVerb(*gate, session);
  AddGateAuditVerb(*gate, session);
  AddGateCacheVerb(*gate, session);
  AddGateKeepVerb(*gate, session);
  AddGateFingerprintVerb(*gate, session);
  AddGatePolicyVerb(*gate, session);
}

}  // namespace gatekeeper::cli
