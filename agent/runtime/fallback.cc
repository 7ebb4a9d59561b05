#include "agent/runtime/fallback.h"

#include "agent/base/status_macros.h"
#include "agent/runtime/fallback_compiler.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"

namespace agent::runtime {

absl::StatusOr<Fallback> Fallback::Compile(const gatekeeper::v1::FallbackRules& document,
                                           const Policy& policy) {
  return FallbackCompiler(document, policy).Compile();
}

absl::StatusOr<Fallback> FallbackCompiler::Compile() {
  if (document_.schema() != "fallback_rules/1") {
    return Wrong("schema", "must be fallback_rules/1, is '%s'", document_.schema());
  }
  ASSIGN_OR_RETURN(rules_.mrc_within_, PositiveMs("mrc_within_ms", document_.mrc_within_ms(),
                                                  "it is the hazard tolerance time", kMostMrcMs));
  RETURN_IF_ERROR(States());
  RETURN_IF_ERROR(FlapPart());
  RETURN_IF_ERROR(RearmPart());
  RETURN_IF_ERROR(Triggers());
  RETURN_IF_ERROR(FlapCounts());
  RETURN_IF_ERROR(Under("S13", Emergency()));
  RETURN_IF_ERROR(Under("S2", Paths()));
  RETURN_IF_ERROR(Under("S3", Reached()));
  RETURN_IF_ERROR(Under("S5", Bounds()));
  return std::move(rules_);
}

}  // namespace agent::runtime
