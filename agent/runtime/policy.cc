#include "agent/runtime/policy.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"
#include "agent/runtime/self_report.h"

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr double kMaxRateHz = 1000;
constexpr int kMaxInputs = 64;
constexpr size_t kMaxFields = kMaxJoints;
// Of a bound: what is written with a few digits differs by less from what is computed of others.
constexpr double kWrittenRounding = 1e-9;

bool IsOneOf(const std::string& value, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(), [&](const char* word) { return value == word; });
}

absl::Status CheckLong(const std::string& path, double value, double least, double day,
                       const std::string& why) {
  RETURN_IF_ERROR(CheckFrom(path, value, least, why));
  if (value <= day) return absl::OkStatus();
  return Under("S14", Wrong(path, "must be at most %.10g, a day, is %.10g: nobody waits longer",
                            day, value));
}

}  // namespace

absl::Status CheckPositive(const std::string& path, double value, const std::string& why) {
  if (std::isfinite(value) && value > 0) return absl::OkStatus();
  return Under("S14", Wrong(path, "must be above 0, is %g: %s", value, why));
}

absl::Status CheckWithin(const std::string& path, double value, double most,
                         const std::string& why) {
  RETURN_IF_ERROR(CheckPositive(path, value, why));
  if (value <= most * (1 + kWrittenRounding)) return absl::OkStatus();
  return Under("S14", Wrong(path, "must be at most %.10g, is %.10g: it would hold nothing back",
                            most, value));
}

absl::Status CheckFrom(const std::string& path, double value, double least,
                       const std::string& why) {
  if (value >= least * (1 - kWrittenRounding)) return absl::OkStatus();
  return Under("S14", Wrong(path, "must be at least %.10g, is %.10g: %s", least, value, why));
}

absl::StatusOr<Nanos> PositiveMs(const std::string& path, double ms, const std::string& why,
                                 double most_ms) {
  RETURN_IF_ERROR(CheckWithin(path, ms, most_ms, why));
  return Nanos{std::llround(ms * 1e6)};
}

absl::StatusOr<Nanos> PositiveS(const std::string& path, double s, const std::string& why,
                                double most_s) {
  RETURN_IF_ERROR(CheckWithin(path, s, most_s, why));
  return Nanos{std::llround(s * 1e9)};
}

absl::StatusOr<Nanos> LongMs(const std::string& path, double ms, double least_ms,
                             const std::string& why) {
  RETURN_IF_ERROR(CheckLong(path, ms, least_ms, kDayMs, why));
  return Nanos{std::llround(ms * 1e6)};
}

absl::StatusOr<Nanos> LongS(const std::string& path, double s, double least_s,
                            const std::string& why) {
  RETURN_IF_ERROR(CheckLong(path, s, least_s, kDayS, why));
  return Nanos{std::llround(s * 1e9)};
}

absl::StatusOr<Policy> Policy::Compile(const v1::ControlPolicy& document) {
  return PolicyCompiler(document).Compile();
}

const InputLimits* Policy::FindInput(const std::string& channel) const {
  const auto found = std::find_if(inputs_.begin(), inputs_.end(),
                                  [&](const InputLimits& i) { return i.channel == channel; });
  return found == inputs_.end() ? nullptr : &*found;
}

absl::StatusOr<Policy> PolicyCompiler::Compile() {
  RETURN_IF_ERROR(Header());
  RETURN_IF_ERROR(Command());
  RETURN_IF_ERROR(Inputs());
  RETURN_IF_ERROR(Under("S14", Deadline()));
  RETURN_IF_ERROR(Output());
  RETURN_IF_ERROR(Under("S9", twist() ? TwistLimitsPart() : Joints()));
  RETURN_IF_ERROR(Under("S14", UncertaintyActs()));
  RETURN_IF_ERROR(Under("S14", ClampBudgetPart()));
  RETURN_IF_ERROR(Under("S9", Derate()));
  RETURN_IF_ERROR(Under("S11", FootprintPart()));
  RETURN_IF_ERROR(Under("S11", Envelope()));
  RETURN_IF_ERROR(Under("S11", Separation()));
  RETURN_IF_ERROR(Requirements());
  return std::move(policy_);
}

absl::StatusOr<TriggerIndex> PolicyCompiler::Trigger(const std::string& path,
                                                     const std::string& name) {
  if (name.empty())
    return Under("S2", Wrong(path, "must name a trigger: a check that tells nobody is no check"));
  std::vector<std::string>& triggers = policy_.triggers_;
  const auto found = std::find(triggers.begin(), triggers.end(), name);
  if (found != triggers.end()) return static_cast<TriggerIndex>(found - triggers.begin());
  triggers.push_back(name);
  return triggers.size() - 1;
}

bool PolicyCompiler::IsRequiredInput(const std::string& channel) const {
  const InputLimits* input = policy_.FindInput(channel);
  return input != nullptr && input->required;
}

absl::Status PolicyCompiler::Header() {
  if (document_.schema() != "control_policy/1") {
    return Wrong("schema", "must be control_policy/1, is '%s'", document_.schema());
  }
  if (document_.id().empty()) return Wrong("id", "must be given");
  if (document_.version() == 0) return Wrong("version", "must be at least 1");
  if (!IsOneOf(document_.robot_class(), {"diff_drive", "ackermann", "omni", "arm"})) {
    return Wrong("robot_class", "must be diff_drive, ackermann, omni or arm, is '%s'",
                 document_.robot_class());
  }
  if (document_.units() != "SI") {
    return Wrong("units", "must be SI, the only value, is '%s'", document_.units());
  }
  if (document_.frames().site().empty()) {
    return Wrong("frames.site",
                 "must name the frame that odometry poses and the envelope stand in");
  }
  policy_.id_ = document_.id();
  policy_.version_ = document_.version();
  return absl::OkStatus();
}

absl::Status PolicyCompiler::Command() {
  const v1::CommandRule& rule = document_.command();
  CommandShape& shape = policy_.command_;
  RETURN_IF_ERROR(CheckFrom("command.rate_hz", rule.rate_hz(), kLeastRateHz,
                            "who answers more rarely is taken for hung"));
  if (rule.rate_hz() > kMaxRateHz) {
    return Wrong("command.rate_hz", "must be at most %g, is %g", kMaxRateHz, rule.rate_hz());
  }
  shape.rate_hz = rule.rate_hz();
  shape.period = Nanos{std::llround(1e9 / rule.rate_hz())};
  shape.fields.assign(rule.fields().begin(), rule.fields().end());
  if (rule.type() == "twist2d") {
    shape.type = CommandType::kTwist2d;
    if (shape.fields != std::vector<std::string>{"vx_mps", "wz_radps"}) {
      return Wrong("command.fields", "must be [vx_mps, wz_radps] for type twist2d");
    }
    return absl::OkStatus();
  }
  if (rule.type() != "joints") {
    return Wrong("command.type", "must be twist2d or joints, is '%s'", rule.type());
  }
  shape.type = CommandType::kJoints;
  if (shape.fields.empty() || shape.fields.size() > kMaxFields) {
    return Wrong("command.fields", "must name 1 to %d joints, names %d", kMaxFields,
                 shape.fields.size());
  }
  const std::set<std::string> distinct(shape.fields.begin(), shape.fields.end());
  if (distinct.size() != shape.fields.size() || distinct.contains("")) {
    return Wrong("command.fields", "must name every joint once");
  }
  return absl::OkStatus();
}

absl::Status PolicyCompiler::Inputs() {
  if (document_.inputs_size() > kMaxInputs) {
    return Wrong("inputs", "must be at most %d channels", kMaxInputs);
  }
  const std::map<std::string, v1::InputRule> sorted(document_.inputs().begin(),
                                                    document_.inputs().end());
  bool any_required = false;
  for (const auto& [channel, rule] : sorted) {
    const std::string path = absl::StrCat("inputs.", channel);
    InputLimits input;
    input.channel = channel;
    input.required = rule.required();
    ASSIGN_OR_RETURN(input.trigger, Trigger(path + ".trigger", rule.trigger()));
    ASSIGN_OR_RETURN(input.max_age, PositiveMs(path + ".max_age_ms", rule.max_age_ms(),
                                               "staleness cannot be switched off", kMostAgeMs));
    ASSIGN_OR_RETURN(input.max_future, PositiveMs(path + ".max_future_ms", rule.max_future_ms(),
                                                  "stamps cannot go unchecked", kMostFutureMs));
    ASSIGN_OR_RETURN(input.stuck_after, PositiveMs(path + ".stuck_after_ms", rule.stuck_after_ms(),
                                                   "a frozen sensor still sends", kMostStuckMs));
    input.min_valid_fraction = rule.min_valid_fraction();
    if (!(input.min_valid_fraction >= 0 && input.min_valid_fraction <= 1)) {
      return Wrong(path + ".min_valid_fraction", "must be 0 to 1, is %g", input.min_valid_fraction);
    }
    if (input.min_valid_fraction > 0 && channel != "scan") {
      return Wrong(path + ".min_valid_fraction", "belongs to scans only");
    }
    const char* const words[kInputFaults] = {"missing",      "old",      "late",
                                             "out_of_order", "backward", "ahead",
                                             "unstamped",    "stuck",    "blind"};
    for (size_t i = 0; i < kInputFaults; ++i) {
      input.reasons[i] = absl::StrCat("input:", channel, ":", words[i]);
    }
    any_required = any_required || input.required;
    policy_.inputs_.push_back(std::move(input));
  }
  if (!any_required) {
    return Under("S14",
                 Wrong("inputs",
                       "must have one that is required: a robot that senses nothing may not move"));
  }
  if (!twist() && !IsRequiredInput("joints")) {
    return Wrong("inputs",
                 "must require joints, because command type joints is limited from there");
  }
  return absl::OkStatus();
}

absl::Status PolicyCompiler::Deadline() {
  const v1::DeadlineRule& rule = document_.deadline();
  DeadlineLimits& limits = policy_.deadline_;
  ASSIGN_OR_RETURN(limits.hard,
                   PositiveMs("deadline.hard_ms", rule.hard_ms(), "the loop must always answer"));
  if (limits.hard >= policy_.command_.period) {
    return Under("S15",
                 Wrong("deadline.hard_ms", "must be below the command period of %g ms, is %g",
                       1000 / policy_.command_.rate_hz, rule.hard_ms()));
  }
  limits.max_consecutive = rule.max_consecutive();
  if (limits.max_consecutive == 0 || limits.max_consecutive > kMostConsecutiveMisses) {
    return Wrong("deadline.max_consecutive", "must be 1 to %d, is %d: misses must end somewhere",
                 kMostConsecutiveMisses, limits.max_consecutive);
  }
  limits.window_ticks = rule.window().n();
  limits.window_max = rule.window().max();
  if (limits.window_ticks == 0 || limits.window_ticks > MostWindowTicks()) {
    return Wrong("deadline.window.n", "must be 1 to %d ticks, is %d", MostWindowTicks(),
                 limits.window_ticks);
  }
  // Half of them would be let through: a window is full at more than max.
  if (limits.window_max >= (limits.window_ticks + 1) / 2) {
    return Wrong("deadline.window.max",
                 "must be below half of n (%d), is %d: who answers every other tick only is late",
                 limits.window_ticks, limits.window_max);
  }
  ASSIGN_OR_RETURN(limits.trigger, Trigger("deadline.trigger", rule.trigger()));
  return absl::OkStatus();
}

uint32_t PolicyCompiler::MostWindowTicks() const {
  const double ticks = std::floor(kMostWindowS * policy_.command_.rate_hz);
  return std::min(kMaxWindowTicks, static_cast<uint32_t>(ticks));
}

absl::Status PolicyCompiler::Output() {
  const v1::OutputRule& rule = document_.output();
  if (rule.nonfinite() != "reject") {
    return Under("S13", Wrong("output.nonfinite", "must be reject, the only value, is '%s'",
                              rule.nonfinite()));
  }
  ASSIGN_OR_RETURN(policy_.nonfinite_trigger_, Trigger("output.trigger", rule.trigger()));
  if (rule.has_confidence()) RETURN_IF_ERROR(Confidence());
  if (rule.has_uncertainty()) RETURN_IF_ERROR(Uncertainty());
  return absl::OkStatus();
}

absl::Status PolicyCompiler::Confidence() {
  const v1::Confidence& written = document_.output().confidence();
  ConfidenceLimits limits{.enter_below = written.enter_below(),
                          .leave_above = written.leave_above()};
  RETURN_IF_ERROR(CheckFrom("output.confidence.enter_below", written.enter_below(),
                            kLeastConfidence, "it would never act"));
  if (!(std::isfinite(limits.leave_above) && limits.leave_above > limits.enter_below)) {
    return Under("S7",
                 Wrong("output.confidence.leave_above", "must be above enter_below (%g), is %g",
                       limits.enter_below, limits.leave_above));
  }
  ASSIGN_OR_RETURN(limits.leave_hold,
                   PositiveMs("output.confidence.leave_hold_ms", written.leave_hold_ms(),
                              "without it the state flickers"));
  ASSIGN_OR_RETURN(limits.trigger, Trigger("output.confidence.trigger", written.trigger()));
  policy_.confidence_ = limits;
  return absl::OkStatus();
}

absl::Status PolicyCompiler::Uncertainty() {
  const v1::Uncertainty& written = document_.output().uncertainty();
  const std::string path = "output.uncertainty";
  RETURN_IF_ERROR(
      CheckPositive(path + ".enter_above", written.enter_above(), "no model is ever quite sure"));
  RETURN_IF_ERROR(
      CheckPositive(path + ".leave_below", written.leave_below(), "the state could never be left"));
  if (written.leave_below() >= written.enter_above()) {
    return Under("S7", Wrong(path + ".leave_below", "must be below enter_above (%g), is %g",
                             written.enter_above(), written.leave_below()));
  }
  ConfidenceLimits limits{.enter_below = -written.enter_above(),
                          .leave_above = -written.leave_below()};
  ASSIGN_OR_RETURN(limits.leave_hold, PositiveMs(path + ".leave_hold_ms", written.leave_hold_ms(),
                                                 "without it the state flickers"));
  ASSIGN_OR_RETURN(limits.trigger, Trigger(path + ".trigger", written.trigger()));
  policy_.uncertainty_ = limits;
  return absl::OkStatus();
}

absl::Status PolicyCompiler::UncertaintyActs() const {
  const double most = MostUncertainty(policy_);
  const double entered = document_.output().uncertainty().enter_above();  // 0: none is told
  if (entered < most) return absl::OkStatus();
  return Wrong("output.uncertainty.enter_above",
               "must be below %g, the largest number that a command can be, or 1; is %g: it would "
               "never act",
               most, entered);
}

}  // namespace agent::runtime
