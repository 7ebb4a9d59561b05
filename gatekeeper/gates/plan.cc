#include "gatekeeper/gates/plan.h"

#include "absl/strings/str_cat.h"
#include "agent/trust/hash.h"

namespace gatekeeper::gates {
namespace {

std::string DigestOf(const std::optional<bundle::Document>& document) {
  return document ? agent::trust::Sha256(document->text).hex() : std::string();
}

}  // namespace

agent::base::Digest LibraryDigest(const std::vector<Scenario>& scenarios) {
  agent::trust::Sha256Stream all;
  for (const Scenario& scenario : scenarios) {
    all.Update(absl::StrCat(scenario.sha256.hex(), " ", scenario.document.id(), "\n"));
  }
  return all.Finish();
}

v1::GatePlan MakePlan(const PlanInput& input) {
  v1::GatePlan plan;
  plan.set_suite_sha256(input.suite.sha256.hex());
  plan.set_policy_repository(input.policy.repository);
  plan.set_policy_commit(input.policy.commit);
  plan.set_suite_path(input.suite_file);
  plan.set_library_sha256(LibraryDigest(input.scenarios).hex());
  plan.set_alpha(input.suite.document.alpha());
  plan.set_seed(input.suite.document.seed());
  plan.set_host_class(input.host_class);
  plan.set_engine(input.engine);
  plan.set_scenarios(static_cast<uint32_t>(input.scenarios.size()));
  plan.set_site_sha256(DigestOf(input.policy.site));
  plan.set_training_sha256(DigestOf(input.policy.training));
  if (input.policy.map != nullptr) plan.set_map_sha256(input.policy.map->sha256.hex());
  plan.set_deployed_sha256(input.deployed);
  if (input.policy.corpus) {
    plan.set_corpus_sha256(agent::trust::Sha256(input.policy.corpus->lock).hex());
  }
  // Fields in order of their numbers: a message without maps has no other bytes.
  plan.set_sha256(agent::trust::Sha256(plan.SerializeAsString()).hex());
  return plan;
}

}  // namespace gatekeeper::gates
