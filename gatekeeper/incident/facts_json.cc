#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "gatekeeper/incident/draft.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::incident {
namespace {

using nlohmann::json;

json ToJson(const RobotReturn& robot) {
  return {{"robot", robot.robot},           {"before", robot.before_digest},
          {"wanted", robot.wanted_digest},  {"wanted_unit", robot.wanted_unit},
          {"generation", robot.generation}, {"outcome", robot.outcome},
          {"seconds", robot.seconds},       {"running", robot.running_digest},
          {"detail", robot.detail}};
}

RobotReturn ReturnFrom(const json& value) {
  return {.robot = value.at("robot"),
          .before_digest = value.at("before"),
          .wanted_digest = value.at("wanted"),
          .wanted_unit = value.at("wanted_unit"),
          .generation = value.at("generation"),
          .outcome = value.at("outcome"),
          .seconds = value.at("seconds"),
          .running_digest = value.at("running"),
          .detail = value.at("detail")};
}

json ToJson(const RobotMetrics& robot) {
  return {{"robot", robot.robot},
          {"state", robot.state},
          {"ticks", robot.ticks},
          {"deadline_misses", robot.deadline_misses},
          {"clamped", robot.clamped},
          {"nonfinite", robot.nonfinite},
          {"fallback_episodes", robot.fallback_episodes},
          {"disagreements", robot.disagreements},
          {"shed", robot.shed},
          {"infer_p99_us", robot.infer_p99_us}};
}

RobotMetrics MetricsFrom(const json& value) {
  return {.robot = value.at("robot"),
          .state = value.at("state"),
          .ticks = value.at("ticks"),
          .deadline_misses = value.at("deadline_misses"),
          .clamped = value.at("clamped"),
          .nonfinite = value.at("nonfinite"),
          .fallback_episodes = value.at("fallback_episodes"),
          .disagreements = value.value("disagreements", uint64_t{0}),  // older facts know neither
          .shed = value.value("shed", uint64_t{0}),
          .infer_p99_us = value.at("infer_p99_us")};
}

json ToJson(const Stops& stops) {
  return {{"times", stops.times},
          {"first_ms", stops.first_ms},
          {"last_ms", stops.last_ms},
          {"told_ms", stops.told_ms},
          {"by_robot", stops.by_robot}};
}

Stops StopsFrom(const json& value) {
  return {.times = value.at("times"),
          .first_ms = value.at("first_ms"),
          .last_ms = value.at("last_ms"),
          .told_ms = value.at("told_ms"),
          .by_robot = value.value("by_robot", true)};
}

Facts FactsFrom(const json& value) {
  Facts facts{.id = value.at("id"),
              .fleet = value.at("fleet"),
              .kind = value.at("kind"),
              .title = value.at("title"),
              .actor = value.at("actor"),
              .reason = value.at("reason"),
              .rollout = value.at("rollout"),
              .unit = value.at("unit"),
              .unit_digest = value.at("unit_digest"),
              .began_ms = value.at("began_ms"),
              .opened_ms = value.at("opened_ms"),
              .ended_ms = value.at("ended_ms")};
  for (const json& robot : value.at("robots")) facts.robots.push_back(ReturnFrom(robot));
  for (const json& robot : value.at("metrics")) facts.metrics.push_back(MetricsFrom(robot));
  // Older facts do not know; those of a stop tell of one, which happened when it was told.
  const bool stop = facts.kind == "stop" || facts.kind == "estop";
  const int64_t told = facts.opened_ms;
  if (stop) {
    facts.stops = {
        .times = 1, .first_ms = told, .last_ms = told, .told_ms = told, .by_robot = false};
  }
  if (value.contains("stops")) facts.stops = StopsFrom(value.at("stops"));
  return facts;
}

}  // namespace

std::string ToJson(const Facts& facts) {
  json robots = json::array(), metrics = json::array();
  for (const RobotReturn& robot : facts.robots) robots.push_back(ToJson(robot));
  for (const RobotMetrics& robot : facts.metrics) metrics.push_back(ToJson(robot));
  const json value = {{"id", facts.id},
                      {"fleet", facts.fleet},
                      {"kind", facts.kind},
                      {"title", facts.title},
                      {"actor", facts.actor},
                      {"reason", facts.reason},
                      {"rollout", facts.rollout},
                      {"unit", facts.unit},
                      {"unit_digest", facts.unit_digest},
                      {"began_ms", facts.began_ms},
                      {"opened_ms", facts.opened_ms},
                      {"ended_ms", facts.ended_ms},
                      {"robots", robots},
                      {"metrics", metrics},
                      {"stops", ToJson(facts.stops)}};
  // Robots' own words may hold any bytes; what is not UTF-8 must not lose the record.
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

absl::StatusOr<Facts> FromJson(std::string_view text) {
  ASSIGN_OR_RETURN(const json value, agent::base::ParseStrictJson(text, "incident facts"));
  try {
    return FactsFrom(value);
  } catch (const json::exception& error) {
    return absl::DataLossError(absl::StrFormat("incident facts: %s", error.what()));
  }
}

}  // namespace gatekeeper::incident
