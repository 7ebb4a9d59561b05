#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/gates/part.h"
#include "gatekeeper/gates/policy_files.h"
#include "gatekeeper/gates/replay.h"
#include "gatekeeper/gates/replay_farm.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// Segments of a corpus clip with this tag are not scored against the recorded commands: what the
// robot did there is what must not be done again.
inline constexpr char kNotImitated[] = "not_imitated";

// The regression corpus as it was found and replayed.
struct CorpusCheck {
  std::vector<Scenario> scenarios;    // in order of id; the replays point into them
  std::vector<Replay> replays;        // one a scenario of the part that was replayed
  std::vector<v1::Finding> missing;   // named by a lock, now or once, and not there unchanged
  std::vector<v1::Finding> unlocked;  // there, and not named by the lock
  std::string no_history;             // why earlier locks could not be read; empty: they were
  bool pinned = false;                // it comes from a repository, which has a history to show
};

// Compares the folder with its lock, and the lock with every earlier one. Recordings that lie
// outside are looked for below `recordings`. kInvalidArgument names the line of a bad lock.
absl::StatusOr<CorpusCheck> CheckCorpus(const CorpusFiles& files, const std::string& recordings);

// Replays a part of the corpus through the unit. A recording that is not what its scenario names
// gets a replay with a status.
void ReplayCorpus(Crew crew, unsigned threads, const Part& part, FarmBooks& books,
                  CorpusCheck& corpus);

// Adds the clip (an MCAP file of some seconds, as a failed gate writes it) to a corpus: copies it
// beside a new scenario/1 file and adds that to corpus.lock. `not_imitated`: the whole clip gets
// that tag. Returns the scenario's id, which is the file's name. kAlreadyExists when the corpus has
// the id or the recording.
struct KeptClip {
  std::string clip;
  std::string corpus;
  bool not_imitated = false;
};
absl::StatusOr<std::string> KeepClip(const KeptClip& kept);

}  // namespace gatekeeper::gates
