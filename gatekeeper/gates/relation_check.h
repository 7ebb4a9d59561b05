#pragma once

#include <span>
#include <string>
#include <vector>

#include "gatekeeper/gates/hurt_drive.h"
#include "gatekeeper/gates/replay_farm.h"
#include "proto/evidence.pb.h"
#include "proto/fallback.pb.h"
#include "proto/gates.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::gates {

// One metamorphic relation: how two drives must differ when the recordings differ in a known way.
struct RelationRule {
  const char* id;      // mirror, brighter, darker, nearer, nearer_model, moved_site
  const char* change;  // what faults::FindRelation finds
  bool exact;          // no tick may violate it; else a share of the ticks may, and of the clips
  bool (*fits)(const agent::runtime::UnitRules& rules);
};
// There is no other list.
std::span<const RelationRule> RelationRules();

struct PlannedRelation {
  const RelationRule* rule = nullptr;
  size_t scenario = 0;
};
struct RelationRun {
  PlannedRelation planned;
  v1::RelationCheck check;
};

// Those that fit the unit, on up to suite.metamorphic.clips recordings.
std::vector<PlannedRelation> PlanRelations(const std::vector<Replay>& replays,
                                           const agent::runtime::UnitRules& rules,
                                           const v1::GateSuite& suite);

// The documents and limits that a relation is checked by.
struct RelationLimits {
  const v1::ControlPolicy& policy;
  const v1::FallbackRules& fallback;
  const v1::GateSuite& suite;
};

// What the relation does to a recording, and the policy of the world that comes of it.
Fault ChangeOf(const RelationRule& rule);
v1::ControlPolicy PolicyUnder(const RelationRule& rule, const v1::ControlPolicy& policy);

// The drive of the changed recording; of `nearer` with the model's answers of the unchanged one.
Replay DriveChanged(const RelationRule& rule, const Scenario& scenario, TestBench& bench,
                    const RelationLimits& limits);

// `clean`: the unchanged recording's replay.
v1::RelationCheck CheckRelation(const RelationRule& rule, const Replay& clean, TestBench& bench,
                                const RelationLimits& rules);

std::vector<RelationRun> RunRelations(ReplayFarm& farm, const std::vector<Replay>& replays,
                                      const std::vector<PlannedRelation>& planned,
                                      const RelationLimits& rules);

}  // namespace gatekeeper::gates
