#include "gatekeeper/cli/verbs.h"

namespace gatekeeper::cli {

void AddScenarioVerbs(CLI::App& app, Session& session) {
  CLI::App* scenario = app.add_subcommand("scenario", "recordings of robots, ours and others'");
  scenario->require_subcommand(1);
  scenario->fallthrough();
  AddScenarioInfo(*scenario, session);
  AddScenarioCat(*scenario, session);
  AddScenarioImport(*scenario, session);
  AddScenarioMap(*scenario, session);
  AddScenarioLabel(*scenario, session);
  AddScenarioMinimise(*scenario, session);
}

}  // namespace gatekeeper::cli
