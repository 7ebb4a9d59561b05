#include "gatekeeper/rollout/plan.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"

namespace gatekeeper::rollout {
namespace {

constexpr int kMaxWaves = 64;
constexpr double kMaxSeconds = 30.0 * 24 * 3600;  // a stretch longer than a month is a typing error

absl::Status Wrong(const std::string& path, const std::string& text) {
  return absl::InvalidArgumentError(absl::StrFormat("[%s] %s", path, text));
}

absl::Status CheckSeconds(const std::string& path, double value) {
  if (std::isfinite(value) && value > 0 && value <= kMaxSeconds) return absl::OkStatus();
  return Wrong(path,
               absl::StrFormat("is %g, but must be above 0 and at most %g s", value, kMaxSeconds));
}

absl::Status CheckFraction(const std::string& path, double value) {
  if (std::isfinite(value) && value >= 0 && value < 1) return absl::OkStatus();
  return Wrong(path, absl::StrFormat("is %g, but must be at least 0 and below 1", value));
}

absl::Status CheckShare(const v1::Wave& wave, const std::string& path) {
  if ((wave.count() > 0) == (wave.percent() != 0)) {
    return Wrong(path, "must give exactly one of `count` (at least 1) and `percent`");
  }
  if (wave.count() == 0 && !(wave.percent() > 0 && wave.percent() <= 100)) {
    return Wrong(path + ".percent",
                 absl::StrFormat("is %g, but must be above 0 and at most 100", wave.percent()));
  }
  return absl::OkStatus();
}

absl::Status CheckWave(const v1::Wave& wave, const std::string& path) {
  if (wave.name().empty() || wave.name().size() > 64) {
    return Wrong(path + ".name", "must be given, in at most 64 characters");
  }
  RETURN_IF_ERROR(CheckShare(wave, path));
  RETURN_IF_ERROR(CheckSeconds(path + ".shadow_s", wave.shadow_s()));
  RETURN_IF_ERROR(CheckSeconds(path + ".trial_s", wave.trial_s()));
  return CheckSeconds(path + ".soak_s", wave.soak_s());
}

absl::Status CheckHealth(const v1::HealthLimits& health) {
  if (health.min_ticks() == 0) {
    return Wrong("health.min_ticks", "must be at least 1: without evidence nothing is healthy");
  }
  RETURN_IF_ERROR(
      CheckFraction("health.max_deadline_miss_fraction", health.max_deadline_miss_fraction()));
  RETURN_IF_ERROR(CheckFraction("health.max_clamp_fraction", health.max_clamp_fraction()));
  RETURN_IF_ERROR(CheckSeconds("health.silent_after_s", health.silent_after_s()));
  RETURN_IF_ERROR(CheckSeconds("health.step_deadline_s", health.step_deadline_s()));
  return CheckSeconds("health.lease_s", health.lease_s());
}

// Robots up to and including this wave.
size_t RobotsThrough(const v1::Wave& wave, size_t robots) {
  if (wave.count() > 0) return std::min<size_t>(wave.count(), robots);
  // Rounded up, so that a share of a fleet is never nobody; the margin undoes 30 % of 10
  // = 3.0000001.
  const double share = std::ceil(wave.percent() / 100.0 * static_cast<double>(robots) - 1e-9);
  return std::min(static_cast<size_t>(share), robots);
}

}  // namespace

absl::Status CheckPlan(const v1::RolloutPlan& plan) {
  if (plan.schema() != "rollout_plan/1") {
    return Wrong("schema", absl::StrFormat("is \"%s\", wanted \"rollout_plan/1\"", plan.schema()));
  }
  if (plan.id().empty() || plan.id().size() > 64) {
    return Wrong("id", "must be given, in at most 64 characters");
  }
  if (plan.waves_size() == 0 || plan.waves_size() > kMaxWaves) {
    return Wrong("waves", absl::StrFormat("must be 1 to %d waves", kMaxWaves));
  }
  for (int i = 0; i < plan.waves_size(); ++i) {
    RETURN_IF_ERROR(CheckWave(plan.waves(i), absl::StrFormat("waves[%d]", i)));
  }
  if (plan.waves(plan.waves_size() - 1).percent() != 100) {
    return Wrong(absl::StrFormat("waves[%d].percent", plan.waves_size() - 1),
                 "must be 100: the last wave holds the whole fleet");
  }
  if (!plan.has_health()) return Wrong("health", "must be given");
  return CheckHealth(plan.health());
}

absl::StatusOr<v1::RolloutPlan> ReadPlan(std::string_view yaml, const std::string& file) {
  v1::RolloutPlan plan;
  ASSIGN_OR_RETURN(const agent::base::SourceMap where,
                   agent::base::ReadYaml(yaml, file, "rollout_plan/1", plan));
  const absl::Status fault = CheckPlan(plan);
  if (fault.ok()) return plan;
  const std::string text(fault.message());
  const size_t end = text.find("] ");
  const std::string path = text.substr(1, end - 1);
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: %s: %s", where.Locate(path), path, text.substr(end + 2)));
}

absl::StatusOr<v1::RolloutState> Begin(const NewRollout& wanted, int64_t now_ms, int64_t wall_ms) {
  RETURN_IF_ERROR(CheckPlan(wanted.plan));
  if (wanted.robots.empty()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("fleet %s has no robots; create and enrol one first", wanted.fleet));
  }
  v1::RolloutState state;
  state.set_id(wanted.id);
  state.set_fleet(wanted.fleet);
  state.set_unit_digest(wanted.unit_digest);
  state.set_unit_name(wanted.unit_name);
  state.set_unit_version(wanted.unit_version);
  state.set_actor(wanted.actor);
  *state.mutable_plan() = wanted.plan;
  state.set_phase(v1::SHADOW);
  state.set_started_ms(wall_ms);
  state.set_phase_since_ms(now_ms);
  size_t taken = 0;
  for (int wave = 0; wave < wanted.plan.waves_size(); ++wave) {
    const size_t through = RobotsThrough(wanted.plan.waves(wave), wanted.robots.size());
    for (; taken < through; ++taken) {
      v1::RolloutRobot* robot = state.add_robots();
      robot->set_robot(wanted.robots[taken]);
      robot->set_wave(static_cast<uint32_t>(wave));
    }
  }
  state.set_wave(state.robots(0).wave());
  return state;
}

}  // namespace gatekeeper::rollout
