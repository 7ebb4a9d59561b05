#include "absl/synchronization/mutex.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/verbs.h"

namespace {

using gatekeeper::cli::Session;

void AddCommonOptions(CLI::App& app, Session& session) {
  app.add_option("--server", session.server, "host:port of `gatekeeper serve`")
      ->envname("GATEKEEPER_SERVER")
      ->capture_default_str();
  app.add_option("--home", session.home, "folder with the gatekeeper's or operator's keys")
      ->envname("GATEKEEPER_HOME")
      ->capture_default_str();
  app.add_option("--operator", session.operator_name, "who acts, when the home holds several keys")
      ->envname("GATEKEEPER_OPERATOR");
}

}  // namespace

int main(int argc, char** argv) {
  // Debian's Abseil keeps a lock graph that costs up to 30 % of a message; our lock order is
  // tested.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  Session session{.version = GATEKEEPER_VERSION};
  CLI::App app("Gatekeeper: safety-gated releases for the models that drive robots", "gatekeeper");
  app.require_subcommand(1);
  app.set_version_flag("--version", GATEKEEPER_VERSION);
  app.fallthrough();
  AddCommonOptions(app, session);
  AddHomeVerbs(app, session);
  AddPolicyVerbs(app, session);
  AddUnitVerbs(app, session);
  AddGateVerbs(app, session);
  AddScenarioVerbs(app, session);
  AddFleetVerbs(app, session);
  AddRolloutVerbs(app, session);
  AddRollbackVerb(app, session);
  AddIncidentVerbs(app, session);
  app.footer(gatekeeper::cli::kExitCodeHelp);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int asked_for_help = app.exit(e);
    return asked_for_help == 0 ? 0 : static_cast<int>(gatekeeper::cli::ExitCode::kUsage);
  }
  return session.exit_code;
}
