#include "gatekeeper/gates/deployed_unit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/integrity.h"

namespace gatekeeper::gates {
namespace {

absl::StatusOr<DeployedCrew> Open(const std::string& folder, const bundle::UngatedUnit& candidate,
                                  const agent::inference::OnnxRuntime* runtime, unsigned threads) {
  ASSIGN_OR_RETURN(const auto unit, bundle::UngatedUnit::Open(folder));
  ASSIGN_OR_RETURN(Documents documents, ReadDocuments(unit));
  const UnitCheck integrity = CheckUnit(unit);
  if (!integrity.model.has_value()) {
    return absl::InvalidArgumentError(integrity.broken.empty()
                                          ? std::string("its model may not be given to a runtime")
                                          : integrity.broken.front().message());
  }
  DeployedCrew deployed;
  ASSIGN_OR_RETURN(deployed.crew, MakeCrew(unit, documents, *integrity.model, runtime, threads));
  deployed.unit.label = unit.label();
  deployed.unit.digest = unit.digest();
  deployed.unit.policy = std::move(documents.policy);
  ASSIGN_OR_RETURN(const bundle::UnitDiff diff, bundle::DiffUnits(unit, candidate));
  for (const bundle::RuleChange& change : diff.rules) {
    if (bundle::WantsSecondPerson(change)) deployed.unit.looser.push_back(change);
  }
  return deployed;
}

}  // namespace

absl::StatusOr<DeployedCrew> OpenDeployed(const std::string& folder,
                                          const bundle::UngatedUnit& candidate,
                                          const v1::ControlPolicy& policy,
                                          const agent::inference::OnnxRuntime* runtime,
                                          unsigned threads) {
  auto deployed = Open(folder, candidate, runtime, threads);
  if (!deployed.ok()) {
    return absl::Status(deployed.status().code(),
                        absl::StrFormat("the unit to compare with, %s: %s", folder,
                                        std::string(deployed.status().message())));
  }
  const auto& theirs = deployed->unit.policy.command().fields();
  const auto& ours = policy.command().fields();
  if (!std::equal(theirs.begin(), theirs.end(), ours.begin(), ours.end())) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the unit to compare with, %s, commands %s and this one %s: they cannot be compared",
        folder, absl::StrJoin(theirs, ", "), absl::StrJoin(ours, ", ")));
  }
  return deployed;
}

}  // namespace gatekeeper::gates
