#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/runtime/ceilings.h"
#include "agent/runtime/policy.h"
#include "proto/policy.pb.h"

namespace agent::runtime {

inline constexpr uint32_t kMaxWindowTicks = 100'000;

// kInvalidArgument "[path] text": what LoadRules and bundle turn into file:line.
template <class... Args>
absl::Status Wrong(const std::string& path, const absl::FormatSpec<Args...>& format,
                   const Args&... args) {
  return absl::InvalidArgumentError(
      absl::StrCat("[", path, "] ", absl::StrFormat(format, args...)));
}

// Refuses what is not finite and above 0; `why` completes "must be above 0: ...".
absl::Status CheckPositive(const std::string& path, double value, const std::string& why);
// The same, and what is above `most` (ceilings.h) by more than rounding: of bounds that are
// computed from other numbers, the one that is named may be written.
absl::Status CheckWithin(const std::string& path, double value, double most,
                         const std::string& why);
// Refuses what is no number, and what is below `least` (ceilings.h) likewise; `why` completes "must
// be at least 1, is 0: ...". What is too large, infinity first of all, is another check's matter.
absl::Status CheckFrom(const std::string& path, double value, double least, const std::string& why);
// As CheckWithin, and turned into a duration.
absl::StatusOr<Nanos> PositiveMs(const std::string& path, double ms, const std::string& why,
                                 double most_ms = kDayMs);
absl::StatusOr<Nanos> PositiveS(const std::string& path, double s, const std::string& why,
                                double most_s = kDayS);
// Of times that are stricter the longer they are: not below `least_...`.
absl::StatusOr<Nanos> LongMs(const std::string& path, double ms, double least_ms,
                             const std::string& why);
absl::StatusOr<Nanos> LongS(const std::string& path, double s, double least_s,
                            const std::string& why);

// Builds a Policy part by part, in the order of the document.
class PolicyCompiler {
 public:
  explicit PolicyCompiler(const gatekeeper::v1::ControlPolicy& document) : document_(document) {}
  absl::StatusOr<Policy> Compile();

 private:
  absl::Status Header();
  absl::Status Command();
  absl::Status Inputs();
  absl::Status Deadline();
  absl::Status Output();
  absl::Status Confidence();
  absl::Status Uncertainty();
  absl::Status UncertaintyActs() const;
  // Windows are counted in ticks: as many as kMostWindowS takes, and as memory bears.
  uint32_t MostWindowTicks() const;
  absl::Status TwistLimitsPart();  // policy_twist.cc, as the next four
  absl::Status NominalSet(TwistLimits& limits) const;
  absl::Status NominalCurves(TwistLimits& limits) const;
  absl::Status Situations();
  absl::Status PartialSet(const gatekeeper::v1::LimitSet& set, const std::string& path,
                          TwistLimits& limits) const;
  absl::Status ClampBudgetPart();  // policy_limits.cc
  absl::Status Derate();           // policy_derate.cc, as the next one
  absl::Status DerateRule(const gatekeeper::v1::DerateRule& rule, const std::string& path);
  absl::Status FootprintPart();  // policy_footprint.cc
  absl::Status Joints();         // policy_arm.cc, as the next two
  absl::Status Arm();
  absl::Status ArmChain();
  absl::Status Envelope();  // policy_zones.cc, as the next four
  absl::Status EnvelopeZone(const gatekeeper::v1::EnvelopeZone& zone, const std::string& path);
  absl::Status SpeedZone(const gatekeeper::v1::EnvelopeZone& zone, const std::string& path,
                         MapZone& compiled);
  absl::Status EdgeZone(const gatekeeper::v1::EnvelopeZone& zone, const std::string& path,
                        MapZone& compiled);
  // Refuses a zone's speed that holds nothing back.
  absl::Status CheckSlows(const std::string& path, double vx_max_mps) const;
  absl::Status Separation();  // policy_separation.cc, as the next three
  absl::Status ScanSource(const std::string& path, const std::string& source) const;
  absl::Status BodyZone(const gatekeeper::v1::BodyZone& zone, const std::string& path);
  absl::Status Ssm();

  absl::Status Requirements();  // policy_requirements.cc, as the next one
  absl::Status OfferSignals();

  absl::StatusOr<TriggerIndex> Trigger(const std::string& path, const std::string& name);
  bool IsRequiredInput(const std::string& channel) const;
  bool twist() const { return policy_.command_.type == CommandType::kTwist2d; }

  const gatekeeper::v1::ControlPolicy& document_;
  Policy policy_;
};

}  // namespace agent::runtime
