#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/runtime/fallback.h"
#include "agent/runtime/fallback_causes.h"
#include "proto/fallback.pb.h"

namespace agent::runtime {

// Builds a Fallback part by part: states, what follows from flapping and a re-arm, triggers; then
// proves what must hold for all of them together.
class FallbackCompiler {
 public:
  FallbackCompiler(const gatekeeper::v1::FallbackRules& document, const Policy& policy)
      : document_(document), policy_(policy) {}
  absl::StatusOr<Fallback> Compile();

 private:
  absl::Status States();  // fallback_states.cc, as the next seven
  absl::Status State(const gatekeeper::v1::FallbackState& written, StateRule& state);
  absl::Status Standing(const gatekeeper::v1::FallbackState& written, StateRule& state);
  absl::Status Ranks();
  absl::Status Moves(const gatekeeper::v1::FallbackState& written, StateRule& state);
  absl::Status Dwell(const gatekeeper::v1::FallbackState& written, StateRule& state);
  absl::Status Stop(const gatekeeper::v1::FallbackState& written, StateRule& state);
  absl::Status StopOfWheels(const gatekeeper::v1::FallbackState& written, StateRule& state);
  absl::Status StopOfJoints(const gatekeeper::v1::FallbackState& written,
                            const StateRule& state) const;
  absl::Status Gap(const gatekeeper::v1::FallbackState& written, StateRule& state);
  absl::Status Needs(const gatekeeper::v1::FallbackState& written, StateRule& state);

  absl::Status FlapPart();  // fallback_rearm.cc, as the next three
  absl::Status FlapCounts() const;
  absl::Status RearmPart();
  absl::Status ProbationPart();

  absl::Status Triggers();  // fallback_triggers.cc, as the next eight
  void BuiltIn();
  std::string PathOf(TriggerIndex trigger) const;
  absl::Status TriggerOf(TriggerIndex trigger);
  bool ActsAtOnce(TriggerIndex trigger) const;
  absl::Status DetectOf(const gatekeeper::v1::Trigger& written, TriggerIndex trigger);
  absl::Status ClearOf(const gatekeeper::v1::ClearRule& written, const std::string& path,
                       TriggerRule& rule);
  absl::Status ClearBound(const gatekeeper::v1::ClearRule& written, const std::string& path,
                          TriggerRule& rule);
  absl::Status DeferOf(const gatekeeper::v1::Defer& written, const std::string& path,
                       TriggerRule& rule);

  absl::Status Emergency() const;  // fallback_proofs.cc, as the next four
  absl::Status Paths() const;
  absl::Status LossPaths(const TriggerRule& lost, const std::string& path) const;
  absl::Status Bounds() const;
  absl::Status Reached() const;

  // The state of that name; refused when there is none, or none that outranks `from`.
  absl::StatusOr<StateIndex> Named(const std::string& path, const std::string& name) const;
  absl::StatusOr<StateIndex> Above(const std::string& path, const std::string& name,
                                   const StateRule& from) const;

  const gatekeeper::v1::FallbackRules& document_;
  const Policy& policy_;
  std::map<std::string, StateIndex> index_;
  std::vector<int> written_at_;  // by trigger index, those of the document
  std::vector<TriggerCause> causes_;
  Fallback rules_;
};

}  // namespace agent::runtime
