#pragma once

#include "CLI/CLI.hpp"
#include "gatekeeper/cli/session.h"

namespace gatekeeper::cli {

// Each adds one noun's verbs to the program; a verb's callback leaves its result in
// session.exit_code.
void AddHomeVerbs(CLI::App& app, Session& session);  // init, serve, operator create, approver add
void AddUnitVerbs(CLI::App& app,
                  Session& session);  // unit build|inspect|diff|check|verify|push|list|release
void AddComparisonVerbs(CLI::App& unit, Session& session);  // unit diff|check
void AddGoldenVerb(CLI::App& unit, Session& session);       // unit golden
void AddPolicyVerbs(CLI::App& app, Session& session);       // policy check|explain
void AddGateVerbs(CLI::App& app,
                  Session& session);  // gate run|merge|audit|cache|keep|fingerprint|policy
void AddGateRunVerb(CLI::App& gate, Session& session);
void AddGateMergeVerb(CLI::App& gate, Session& session);
void AddGateAuditVerb(CLI::App& gate, Session& session);
void AddGateCacheVerb(CLI::App& gate, Session& session);
void AddGateKeepVerb(CLI::App& gate, Session& session);
void AddGateFingerprintVerb(CLI::App& gate, Session& session);
void AddGatePolicyVerb(CLI::App& gate, Session& session);
void AddScenarioVerbs(CLI::App& app,
                      Session& session);  // scenario info|cat|import|map|label|minimise
void AddScenarioInfo(CLI::App& scenario, Session& session);
void AddScenarioCat(CLI::App& scenario, Session& session);
void AddScenarioImport(CLI::App& scenario, Session& session);
void AddScenarioMap(CLI::App& scenario, Session& session);
void AddScenarioLabel(CLI::App& scenario, Session& session);
void AddScenarioMinimise(CLI::App& scenario, Session& session);
void AddFleetVerbs(CLI::App& app,
                   Session& session);  // fleet create|show, robot create|acknowledge|rearm, status
// rearm challenge|sign; acknowledge and rearm below `robot`
void AddRearmVerbs(CLI::App& app, CLI::App& robot, Session& session);
void AddRolloutVerbs(CLI::App& app, Session& session);   // rollout start|status|abort
void AddRollbackVerb(CLI::App& app, Session& session);   // rollback
void AddIncidentVerbs(CLI::App& app, Session& session);  // incident list|show, audit list

}  // namespace gatekeeper::cli
