#include <algorithm>
#include <cmath>

#include "agent/base/status_macros.h"
#include "agent/runtime/fallback_compiler.h"
#include "agent/runtime/fallback_graph.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"
#include "agent/runtime/stop_ramp.h"

// The part of the FallbackCompiler that knows states and how they give way.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr int kMaxStates = 32;
constexpr double kRoundingMs = 1e-6;  // of sums that people write down rounded
constexpr double kHalfTurn = 3.141592653589793;

struct NamedDriver {
  const char* word;
  Driver driver;
};
constexpr NamedDriver kControllers[] = {{"model", Driver::kModel},
                                        {"unit:previous", Driver::kPreviousUnit},
                                        {"follow_gap", Driver::kFollowGap},
                                        {"stop", Driver::kStop},
                                        {"hold", Driver::kHold}};

bool Drives(const StateRule& state) {
  return state.driver != Driver::kStop && state.driver != Driver::kHold;
}

}  // namespace

absl::Status FallbackCompiler::States() {
  const auto& written = document_.states();
  if (written.empty() || written.size() > kMaxStates) {
    return Wrong("states", "must be 1 to %d, are %d", kMaxStates, written.size());
  }
  std::map<uint32_t, std::string> by_rank;
  const std::map<std::string, v1::FallbackState> sorted(written.begin(), written.end());
  for (const auto& [name, state] : sorted) {
    const auto [twin, fresh] = by_rank.emplace(state.rank(), name);
    if (!fresh) {
      return Wrong(runtime::PathOf(name) + ".rank", "must be unique, %d is also the rank of '%s'",
                   state.rank(), twin->second);
    }
  }
  if (by_rank.begin()->first != 0) {
    return Wrong("states", "must have one of rank 0, the nominal one");
  }
  for (const auto& [rank, name] : by_rank) {
    index_[name] = rules_.states_.size();
    StateRule state;
    state.name = name;
    state.rank = rank;
    rules_.states_.push_back(std::move(state));
  }
  for (StateRule& state : rules_.states_) {
    RETURN_IF_ERROR(State(sorted.at(state.name), state));
    RETURN_IF_ERROR(Moves(sorted.at(state.name), state));
  }
  return Under("S4", Ranks());
}

absl::Status FallbackCompiler::State(const v1::FallbackState& written, StateRule& state) {
  const std::string path = runtime::PathOf(state.name);
  const std::string word = written.controller().empty() ? "model" : written.controller();
  const auto* const known =
      std::find_if(std::begin(kControllers), std::end(kControllers),
                   [&](const NamedDriver& controller) { return controller.word == word; });
  if (known == std::end(kControllers)) {
    return Wrong(path + ".controller",
                 "must be model, unit:previous, follow_gap, stop or hold, is '%s'", word);
  }
  state.driver = known->driver;
  if (state.rank == 0 && state.driver != Driver::kModel) {
    return Wrong(path + ".controller", "must be model for rank 0, is '%s'", word);
  }
  if (!written.limits().empty() && written.limits() != "nominal" &&
      written.limits() != "degraded") {
    return Wrong(path + ".limits", "must be nominal or degraded, is '%s'", written.limits());
  }
  state.degraded_limits = written.limits() == "degraded";
  const bool twist = policy_.command().type == CommandType::kTwist2d;
  if (state.degraded_limits && twist && !policy_.has_degraded()) {
    return Wrong(path + ".limits", "is degraded, but the policy has no limits.degraded");
  }
  return Standing(written, state);
}

absl::Status FallbackCompiler::Standing(const v1::FallbackState& written, StateRule& state) {
  const std::string path = runtime::PathOf(state.name);
  state.minimal_risk = written.minimal_risk_condition();
  if (!written.latch().empty() && written.latch() != "persistent") {
    return Wrong(path + ".latch", "must be persistent, the only value, is '%s'", written.latch());
  }
  state.persistent_latch = written.latch() == "persistent";
  if ((state.minimal_risk || state.persistent_latch) && state.driver != Driver::kHold) {
    return Wrong(path + ".controller",
                 "must be hold: a minimal risk condition or a latch is a robot that stands");
  }
  if (state.persistent_latch && !state.minimal_risk) {
    return Wrong(path + ".minimal_risk_condition", "must be true for a latch");
  }
  return absl::OkStatus();
}

// A state that drives must not win against one that stands, whoever asked for it.
absl::Status FallbackCompiler::Ranks() {
  const StateRule* standing = nullptr;
  for (const StateRule& state : rules_.states_) {
    if (!Drives(state)) {
      if (standing == nullptr) standing = &state;
    } else if (standing != nullptr) {
      return Wrong(runtime::PathOf(state.name) + ".rank",
                   "must be below %d, the rank of '%s': no state that drives may win against one "
                   "that stops the robot",
                   standing->rank, standing->name);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<StateIndex> FallbackCompiler::Named(const std::string& path,
                                                   const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    return Under("S2", Wrong(path, "names no state: '%s'", name));
  }
  return found->second;
}

absl::StatusOr<StateIndex> FallbackCompiler::Above(const std::string& path, const std::string& name,
                                                   const StateRule& from) const {
  ASSIGN_OR_RETURN(const StateIndex to, Named(path, name));
  if (rules_.states_[to].rank > from.rank) return to;
  return Under("S4", Wrong(path, "must lead to a higher rank than %d, '%s' has %d", from.rank, name,
                           rules_.states_[to].rank));
}

absl::Status FallbackCompiler::Moves(const v1::FallbackState& written, StateRule& state) {
  const std::string path = runtime::PathOf(state.name);
  if (!written.else_().empty()) {
    ASSIGN_OR_RETURN(state.otherwise, Above(path + ".else", written.else_(), state));
  }
  if (!written.then().empty()) {
    ASSIGN_OR_RETURN(state.then, Above(path + ".then", written.then(), state));
  }
  RETURN_IF_ERROR(Dwell(written, state));
  RETURN_IF_ERROR(Gap(written, state));
  if (state.driver == Driver::kStop) return Stop(written, state);
  if (state.then) return Wrong(path + ".then", "belongs to controller stop only");
  if (written.dec_mps2() != 0) {
    return Wrong(path + ".dec_mps2", "belongs to controller stop only");
  }
  if (written.jerk_mps3() != 0) {
    return Wrong(path + ".jerk_mps3", "belongs to controller stop only");
  }
  if (written.complete_within_ms() != 0) {
    return Wrong(path + ".complete_within_ms", "belongs to controller stop only");
  }
  return absl::OkStatus();
}

absl::Status FallbackCompiler::Dwell(const v1::FallbackState& written, StateRule& state) {
  const std::string path = runtime::PathOf(state.name);
  const bool substitute =
      state.driver == Driver::kPreviousUnit || state.driver == Driver::kFollowGap;
  if (substitute && !state.otherwise) {
    return Wrong(path + ".else", "must be given: a substitute may not be there");
  }
  if (state.rank == 0 && state.otherwise) {
    return Under(
        "S3", Wrong(path + ".else", "must be left out: only a trigger leaves the nominal state"));
  }
  if (state.persistent_latch && state.otherwise) {
    return Wrong(path + ".else", "must be left out: only re-arming leaves a latch");
  }
  if (written.max_dwell_s() != 0) {
    if (state.driver == Driver::kStop) {
      return Wrong(path + ".max_dwell_s", "must be left out: complete_within_ms bounds a stop");
    }
    ASSIGN_OR_RETURN(state.max_dwell,
                     PositiveS(path + ".max_dwell_s", written.max_dwell_s(),
                               "leave it out for no bound", substitute ? kMostDwellS : kDayS));
    if (!state.otherwise) return Wrong(path + ".else", "must say where to go after max_dwell_s");
    return absl::OkStatus();
  }
  if (substitute) {
    return Under("S5", Wrong(path + ".max_dwell_s",
                             "must be given: no substitute drives for ever, the chain of them must "
                             "end in a stop"));
  }
  if (state.otherwise && state.driver != Driver::kStop) {
    return Under("S3", Wrong(path + ".else",
                             "must be left out without max_dwell_s: nothing ever leads there"));
  }
  return absl::OkStatus();
}

absl::Status FallbackCompiler::Stop(const v1::FallbackState& written, StateRule& state) {
  const std::string path = runtime::PathOf(state.name);
  if (!state.then) return Wrong(path + ".then", "must say where to go when the robot stands");
  ASSIGN_OR_RETURN(state.complete_within,
                   PositiveMs(path + ".complete_within_ms", written.complete_within_ms(),
                              "a stop that never ends is none"));
  return policy_.command().type == CommandType::kTwist2d ? StopOfWheels(written, state)
                                                         : StopOfJoints(written, state);
}

absl::Status FallbackCompiler::StopOfWheels(const v1::FallbackState& written, StateRule& state) {
  const std::string path = runtime::PathOf(state.name);
  RETURN_IF_ERROR(CheckPositive(path + ".dec_mps2", written.dec_mps2(), "a stop decelerates"));
  state.dec_mps2 = written.dec_mps2();
  state.jerk_mps3 = written.jerk_mps3();
  if (!(std::isfinite(state.jerk_mps3) && state.jerk_mps3 >= 0)) {
    return Wrong(path + ".jerk_mps3", "must be 0 (decelerates at once) or above, is %g",
                 state.jerk_mps3);
  }
  const TwistLimits& limits = policy_.nominal();
  const double fastest = std::max(limits.vx_max_mps, -limits.vx_min_mps);
  const StopRamp ramp{.dec_mps2 = state.dec_mps2, .jerk_mps3 = state.jerk_mps3};
  const double turning_s = limits.wz_abs_max_radps.At(0) / limits.wz_acc_max_radps2;
  const double needed_ms =
      1000 * (std::max(ramp.StopSeconds(fastest), turning_s) + 1 / policy_.command().rate_hz);
  if (needed_ms > written.complete_within_ms() + kRoundingMs) {
    return Under("S5", Wrong(path + ".complete_within_ms",
                             "must be at least %g: from %g m/s at %g m/s2 (%g m/s3), or %g s of "
                             "turning on the spot, and one tick; is %g",
                             needed_ms, fastest, state.dec_mps2, state.jerk_mps3, turning_s,
                             written.complete_within_ms()));
  }
  return absl::OkStatus();
}

// Every joint brakes as hard as the policy lets it, which keeps the tool on the way it checked.
absl::Status FallbackCompiler::StopOfJoints(const v1::FallbackState& written,
                                            const StateRule& state) const {
  const std::string path = runtime::PathOf(state.name);
  if (written.dec_mps2() != 0 || written.jerk_mps3() != 0) {
    return Wrong(path + ".dec_mps2",
                 "belongs to command type twist2d, as jerk_mps3: joints brake by their "
                 "qdd_abs_max_radps2");
  }
  double braking_s = 0;
  for (const JointLimits& joint : policy_.joints()) {
    braking_s = std::max(braking_s, joint.qd_abs_max_radps / joint.qdd_abs_max_radps2);
  }
  // The last tick of braking may be a short one, and the next finds the arm standing.
  const double needed_ms = 1000 * (braking_s + 2 / policy_.command().rate_hz);
  if (needed_ms > written.complete_within_ms() + kRoundingMs) {
    return Under("S5", Wrong(path + ".complete_within_ms",
                             "must be at least %g: the slowest joint brakes for %g s, and two "
                             "ticks; is %g",
                             needed_ms, braking_s, written.complete_within_ms()));
  }
  return absl::OkStatus();
}

absl::Status FallbackCompiler::Gap(const v1::FallbackState& written, StateRule& state) {
  const std::string path = runtime::PathOf(state.name);
  if (state.driver != Driver::kFollowGap) {
    if (written.has_follow_gap()) {
      return Wrong(path + ".follow_gap", "belongs to controller follow_gap only");
    }
    if (written.needs_size() > 0) {
      return Wrong(path + ".needs", "belongs to controller follow_gap only");
    }
    return absl::OkStatus();
  }
  if (policy_.command().type != CommandType::kTwist2d) {
    return Wrong(path + ".controller", "must not be follow_gap, which drives twist2d only");
  }
  if (!state.degraded_limits) {
    return Wrong(path + ".limits",
                 "must be degraded for follow_gap, which knows neither map nor goal");
  }
  const v1::FollowGap& gap = written.follow_gap();
  const std::string at = path + ".follow_gap.";
  RETURN_IF_ERROR(CheckPositive(at + "vx_mps", gap.vx_mps(), "it drives"));
  RETURN_IF_ERROR(CheckPositive(at + "wz_abs_max_radps", gap.wz_abs_max_radps(), "it steers"));
  const Footprint& footprint = policy_.footprint();
  RETURN_IF_ERROR(CheckFrom(at + "half_width_m", gap.half_width_m(),
                            std::max(footprint.high().y, -footprint.low().y),
                            "the footprint is as wide"));
  RETURN_IF_ERROR(CheckPositive(at + "field_rad", gap.field_rad(), "it must look somewhere"));
  if (!(std::isfinite(gap.free_m()) && gap.free_m() > gap.half_width_m())) {
    return Wrong(at + "free_m", "must be above half_width_m (%g), is %g", gap.half_width_m(),
                 gap.free_m());
  }
  if (gap.field_rad() > kHalfTurn) {
    return Wrong(at + "field_rad", "must be at most half a turn to each side, is %g",
                 gap.field_rad());
  }
  state.follow_gap = {.vx_mps = gap.vx_mps(),
                      .wz_abs_max_radps = gap.wz_abs_max_radps(),
                      .free_m = gap.free_m(),
                      .half_width_m = gap.half_width_m(),
                      .field_rad = gap.field_rad()};
  return Needs(written, state);
}

absl::Status FallbackCompiler::Needs(const v1::FallbackState& written, StateRule& state) {
  const std::string path = runtime::PathOf(state.name) + ".needs";
  const std::vector<InputLimits>& inputs = policy_.inputs();
  const auto mask_of = [&](const std::string& channel) -> InputMask {
    const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const InputLimits& input) {
      return input.channel == channel;
    });
    return found == inputs.end() ? 0 : InputMask{1} << (found - inputs.begin());
  };
  for (const std::string& channel : written.needs()) {
    const InputMask mask = mask_of(channel);
    if (mask == 0) return Wrong(path, "names no input of the policy: '%s'", channel);
    state.needs |= mask;
  }
  if ((state.needs & mask_of("scan")) == 0) {
    return Wrong(path, "must name scan, which follow_gap drives by");
  }
  if (!policy_.envelope().empty() && (state.needs & mask_of("odom")) == 0) {
    return Wrong(path, "must name odom, without which nobody knows where the envelope is");
  }
  rules_.needs_ |= state.needs;
  return absl::OkStatus();
}

}  // namespace agent::runtime
