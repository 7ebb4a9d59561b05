#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"

// The `requirements` part of a control policy.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;
using Source = RequirementSignal::Source;

constexpr int kMaxRequirements = 32;
// A tick that comes sooner than a quarter of a period after the last is not monitored: whoever asks
// for commands faster than agreed must not make windows hold more than they were made for.
constexpr int kTicksAPeriod = 4;
// Two ticks lost in a row are forgiven; more, and nobody knows what happened in between.
constexpr int kGapPeriods = 3;

bool IsScalar(const std::string& channel) {
  return channel != "scan" && channel != "odom" && channel != "image" && channel != "imu" &&
         channel != "joints";
}

}  // namespace

absl::Status PolicyCompiler::Requirements() {
  if (document_.requirements_size() > kMaxRequirements) {
    return Wrong("requirements", "must be at most %d", kMaxRequirements);
  }
  if (document_.requirements().empty()) return absl::OkStatus();
  RETURN_IF_ERROR(OfferSignals());
  std::vector<std::string> names;
  for (const RequirementSignal& signal : policy_.requirement_signals_) names.push_back(signal.name);
  const monitor::Sampling sampling{.min_gap = policy_.command_.period / kTicksAPeriod,
                                   .max_gap = policy_.command_.period * kGapPeriods};
  std::set<std::string> ids;
  for (int i = 0; i < document_.requirements_size(); ++i) {
    const v1::Requirement& written = document_.requirements(i);
    const std::string path = absl::StrCat("requirements[", i, "]");
    if (written.id().empty()) return Wrong(path + ".id", "must be given");
    if (!ids.insert(written.id()).second) {
      return Wrong(path + ".id", "'%s' is there twice", written.id());
    }
    auto formula = monitor::Formula::Parse(written.formula(), names, sampling);
    if (!formula.ok()) return Wrong(path + ".formula", "%s", formula.status().message());
    ASSIGN_OR_RETURN(const TriggerIndex trigger, Trigger(path + ".trigger", written.trigger()));
    policy_.requirements_.push_back(
        {.id = written.id(), .formula = *std::move(formula), .trigger = trigger});
  }
  return absl::OkStatus();
}

// Only what this policy can know: a signal that is never there would leave a requirement unknown
// for ever.
absl::Status PolicyCompiler::OfferSignals() {
  std::vector<RequirementSignal>& signals = policy_.requirement_signals_;
  const std::vector<std::string>& fields = policy_.command_.fields;
  for (size_t i = 0; i < fields.size(); ++i) signals.push_back({fields[i], Source::kEnforced, i});
  for (size_t i = 0; i < fields.size(); ++i) {
    signals.push_back({absl::StrCat("raw_", fields[i]), Source::kRaw, i});
  }
  const auto offer = [&](bool known, const char* name, Source source) {
    if (known) signals.push_back({name, source, 0});
  };
  const bool odometry = policy_.FindInput("odom") != nullptr;
  const bool edges = std::any_of(policy_.envelope_.begin(), policy_.envelope_.end(),
                                 [](const MapZone& zone) { return zone.kind != ZoneKind::kSpeed; });
  offer(true, "stop", Source::kStop);
  offer(odometry, "odom_vx_mps", Source::kSpeed);
  offer(odometry, "odom_wz_radps", Source::kYawRate);
  offer(odometry, "x_m", Source::kX);
  offer(odometry, "y_m", Source::kY);
  offer(edges, "clearance_m", Source::kClearance);
  offer(twist() && policy_.FindInput("scan") != nullptr, "nearest_m", Source::kNearest);
  offer(policy_.confidence_.has_value(), "confidence", Source::kConfidence);
  offer(policy_.uncertainty_.has_value(), "uncertainty", Source::kUncertainty);
  offer(!policy_.derate_.empty(), "derate", Source::kDerate);
  for (size_t i = 0; i < policy_.inputs_.size(); ++i) {
    const std::string& channel = policy_.inputs_[i].channel;
    if (IsScalar(channel)) signals.push_back({channel, Source::kChannel, i});
  }
  std::set<std::string> names;
  for (const RequirementSignal& signal : signals) {
    if (names.insert(signal.name).second) continue;
    return Wrong("requirements", "could mean two things by '%s': rename the channel or the field",
                 signal.name);
  }
  return absl::OkStatus();
}

}  // namespace agent::runtime
