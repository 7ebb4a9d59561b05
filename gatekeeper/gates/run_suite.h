#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/gates/attempts.h"
#include "gatekeeper/gates/gate_pass.h"
#include "gatekeeper/gates/policy_files.h"
#include "gatekeeper/gates/replay_farm.h"
#include "gatekeeper/gates/shard.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

struct SuiteInput {
  std::string suite_yaml;           // text of a gate_suite/1 document
  std::string suite_file;           // its name in messages
  std::string scenarios_folder;     // every *.yaml below it with schema scenario/1 takes part
  std::string scenarios_name = {};  // what messages and reports call it; empty: by its own name
  // Where the recordings lie that scenarios do not name; empty: among the scenarios.
  std::string recordings_folder = {};
  PolicyFiles policy = {};               // what the suite names beside it, and waivers
  const AttemptLog* attempts = nullptr;  // null: nobody counts
  // Today, for waivers; unless it is told none lasts so long.
  int64_t wall_ms = std::numeric_limits<int64_t>::max();
  // Unpacked unit that the new one is compared with: the one that drives today. Empty: none is.
  std::string against = {};
  std::string clips_folder;  // counterexample clips go here; empty: none are written
  unsigned threads = 1;      // scenarios replayed side by side; the verdicts do not depend on it
  std::string library_path;  // libonnxruntime.so.1; empty: agent/inference's default
  std::string cache_folder = {};  // of results to take over and to leave; empty: none
  std::function<void(const FarmProgress&)> tell = {};  // from any thread, one at a time
};

struct GateRun {
  v1::GateReport report;
  std::optional<GatePass> pass;  // present exactly when report.outcome() is PASS
};

// Replays every scenario through the robot's own Controller and asks each gate. A gate that does
// not hold is an answer (in the report), not an error. The run is counted before anything is
// replayed. Errors mean that nothing could be found out: kInvalidArgument names file and line of a
// bad suite or scenario file, kUnavailable a missing ONNX Runtime, and so on.
absl::StatusOr<GateRun> RunSuite(const bundle::UngatedUnit& unit, const SuiteInput& input);

// Gathers the evidence of one part of the library, on a computer of its own, and leaves it in
// `file` for MergeShards. Nothing is judged and no attempt is counted here. Equal parts of equal
// inputs give equal results, measured times apart.
struct ShardRun {
  size_t scenarios = 0;
  uint32_t run = 0;
  uint32_t reused = 0;
};
absl::StatusOr<ShardRun> RunShard(const bundle::UngatedUnit& unit, const SuiteInput& input,
                                  const Part& part, const std::string& file);

// Judges what all shards of one run found: the report is that of RunSuite over the whole library,
// measured times apart. Runs no model and needs none; recordings are opened for clips only, save
// those of the regression corpus and of scenarios that name no path. Refuses shards that do not
// belong together or to this unit and suite (ShardSet::Open; kInvalidArgument, kDataLoss).
absl::StatusOr<GateRun> MergeShards(const bundle::UngatedUnit& unit, const SuiteInput& input,
                                    const std::vector<std::string>& files);

}  // namespace gatekeeper::gates
