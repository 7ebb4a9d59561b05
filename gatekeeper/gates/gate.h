#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/gates/deployed_unit.h"
#include "gatekeeper/gates/failing_drive.h"
#include "gatekeeper/gates/fault_plan.h"
#include "gatekeeper/gates/hurt_drive.h"
#include "gatekeeper/gates/relation_check.h"
#include "gatekeeper/gates/replay.h"
#include "proto/evidence.pb.h"
#include "proto/fallback.pb.h"
#include "proto/gates.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::gates {

// The verdict stream of one scenario in one of the repeated runs.
struct StreamDigest {
  size_t scenario = 0;   // index into Evidence::replays
  uint32_t run = 0;      // 0 is the run that all other gates judge
  unsigned threads = 1;  // replayed side by side in that run
  agent::base::Digest verdicts;
};

struct CorpusCheck;
struct LeakageCheck;

// All that a gate may look at. Gathered once by RunSuite; judging it reads nothing else.
struct Evidence {
  v1::GateSuite suite;
  v1::ControlPolicy policy;
  v1::FallbackRules fallback;
  std::vector<v1::Finding> broken;  // integrity: what is not what it should be
  size_t digests_checked = 0;
  std::vector<bundle::Diagnostic> diagnostics;
  bool at_site = false;         // the suite names a site, so that the diagnostics speak of it too
  std::vector<Replay> replays;  // one a scenario, in order of id
  std::vector<StreamDigest> streams;
  std::vector<FaultRun> stale_runs;
  std::vector<HurtRun> network_runs;
  std::vector<HurtRun> matrix_runs;  // empty where the suite has no such section, as the next
  std::vector<HurtRun> chain_runs;
  std::vector<HurtRun> corruption_runs;
  std::vector<RelationRun> relation_runs;
  std::vector<FailingDrive> failing;           // of the last five, what clips show
  std::vector<v1::ClosedLoopRun> closed_loop;  // drives in rebuilt worlds, in order of scenario
  // Null where the suite has no such section.
  std::shared_ptr<const CorpusCheck> corpus;
  std::shared_ptr<const LeakageCheck> leakage;
  std::string against;  // folder of the unit to compare with; empty: nobody named one
  std::optional<DeployedUnit> deployed;  // it, where this unit could be compared with it
  std::string host_class;    // of the computer that ran the model: agent::inference::InstructionSet
  std::string engine;        // what ran the model: numerics key; empty when nothing did
  std::string not_replayed;  // why there are no replays at all; empty when there are
};

// One check. `judge` is a pure function of the evidence.
struct Gate {
  const char* id;
  bool needs_replays;  // without any replay the answer is INSUFFICIENT and `judge` is not asked
  v1::GateResult (*judge)(const Evidence&);
  // Whether the suite asks for it: `v1::GateSuite::has_...` of its optional section. Null: every
  // suite does.
  bool (*planned)(const v1::GateSuite&) = nullptr;
};

// The gates, in the order they are reported. There is no other list.
std::span<const Gate> AllGates();

// The gates whose optional section the suite lacks, in order.
std::vector<std::string> NotPlanned(const v1::GateSuite& suite);

// Every planned gate's answer, and the outcome: the worst of all that are not waived (FAIL over
// INSUFFICIENT over PASS).
std::vector<v1::GateResult> JudgeAll(const Evidence& evidence);
v1::GateOutcome Worst(const std::vector<v1::GateResult>& results);
int Badness(v1::GateOutcome outcome);  // larger: worse

// The checks, each in the file of its name.
v1::GateResult JudgeIntegrity(const Evidence& evidence);
v1::GateResult JudgeStaticPolicy(const Evidence& evidence);
v1::GateResult JudgeRecordings(const Evidence& evidence);
v1::GateResult JudgeEnvelope(const Evidence& evidence);
v1::GateResult JudgeRequirements(const Evidence& evidence);
v1::GateResult JudgeRawVsEnforced(const Evidence& evidence);
v1::GateResult JudgeWorstSegment(const Evidence& evidence);
v1::GateResult JudgeLatency(const Evidence& evidence);
v1::GateResult JudgeStaleInput(const Evidence& evidence);
v1::GateResult JudgeNetworkDown(const Evidence& evidence);
v1::GateResult JudgeDeterminism(const Evidence& evidence);
v1::GateResult JudgeFaultMatrix(const Evidence& evidence);
v1::GateResult JudgeFallbackChain(const Evidence& evidence);
v1::GateResult JudgeCorruption(const Evidence& evidence);
v1::GateResult JudgeMetamorphic(const Evidence& evidence);
v1::GateResult JudgeHorizon(const Evidence& evidence);
v1::GateResult JudgeClosedLoop(const Evidence& evidence);
v1::GateResult JudgeSeparation(const Evidence& evidence);
v1::GateResult JudgeNonInferiority(const Evidence& evidence);
v1::GateResult JudgeLoosening(const Evidence& evidence);
v1::GateResult JudgeCoverage(const Evidence& evidence);
v1::GateResult JudgeUncertainty(const Evidence& evidence);
v1::GateResult JudgeLeakage(const Evidence& evidence);
v1::GateResult JudgeRegression(const Evidence& evidence);

// A finding about one moment of a replay, with the segment tags there.
v1::Finding FindingAt(const Replay& replay, int64_t at_ns, const std::string& message);

}  // namespace gatekeeper::gates
