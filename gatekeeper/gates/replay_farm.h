#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gatekeeper/gates/crew.h"
#include "gatekeeper/gates/fault.h"
#include "gatekeeper/gates/replay.h"

namespace gatekeeper::gates {

enum class Subject { kCandidate, kDeployed };

// One piece of work. Equal jobs give equal results, save for measured times, on any thread of any
// computer with the same engine; so a job is named by what stands here and by nothing else.
struct Job {
  Subject subject = Subject::kCandidate;
  size_t scenario = 0;  // index into the farm's scenarios
  std::string variant;  // all that is done otherwise than in a plain replay; Text(fault) of a fault
  uint32_t run = 0;     // which of several equal jobs, where equality itself is to be shown
};

// What a replay is wanted for.
struct ReplayJob {
  enum class Keep { kAll, kVerdicts };  // kVerdicts: the digest and nothing that takes memory
  Subject subject = Subject::kCandidate;
  size_t scenario = 0;
  Fault fault = {};
  uint32_t run = 0;
  Keep keep = Keep::kAll;

  Job Name() const { return {subject, scenario, Text(fault), run}; }
};

// Does jobs on benches, one a thread. Results stand in the order of the jobs whatever thread did
// them.
//
// A new kind of evidence is a list of jobs and a call of Replays, or, where its result is no
// Replay, of Do with a function that makes one result on one bench. The choice of jobs may look at
// earlier results; see evidence_maker.h for the rule that keeps it the same in one run and in
// shards.
class ReplayFarm {
 public:
  // `intact[i]`: scenario i may be replayed; the others get a replay with a status. `deployed` is
  // what does kDeployed jobs: as many benches, or none and no such job.
  ReplayFarm(Crew candidate, Crew deployed, const std::vector<Scenario>& scenarios,
             const std::vector<bool>& intact, unsigned threads)
      : candidate_(std::move(candidate)),
        deployed_(std::move(deployed)),
        scenarios_(scenarios),
        intact_(intact),
        threads_(threads) {}

  std::vector<Replay> Replays(const std::vector<ReplayJob>& jobs) {
    return Replays(jobs, threads_);
  }
  // On fewer threads than there are: one, where times are to be worth something.
  std::vector<Replay> Replays(const std::vector<ReplayJob>& jobs, unsigned threads);

  // play(job's place in the list, scenario, bench) -> Result; called from several threads at once,
  // each with a bench of its own.
  template <class Result, class Play>
  std::vector<Result> Do(const std::vector<Job>& jobs, const Play& play, unsigned threads) {
    std::vector<Result> results(jobs.size());
    ForEach(jobs, threads, [&](size_t i, TestBench& bench) {
      results[i] = play(i, scenarios_[jobs[i].scenario], bench);
    });
    return results;
  }
  template <class Result, class Play>
  std::vector<Result> Do(const std::vector<Job>& jobs, const Play& play) {
    return Do<Result>(jobs, play, threads_);
  }

  const std::vector<Scenario>& scenarios() const { return scenarios_; }
  bool intact(size_t scenario) const { return intact_[scenario]; }
  bool compares() const { return !deployed_.benches.empty(); }
  unsigned threads() const { return threads_; }
  const agent::runtime::UnitRules& rules() const { return candidate_.benches.front()->rules(); }

 private:
  void ForEach(const std::vector<Job>& jobs, unsigned threads,
               const std::function<void(size_t, TestBench&)>& work);
  Crew& CrewOf(Subject subject) { return subject == Subject::kCandidate ? candidate_ : deployed_; }

  Crew candidate_;
  Crew deployed_;
  const std::vector<Scenario>& scenarios_;
  const std::vector<bool>& intact_;
  unsigned threads_;
};

}  // namespace gatekeeper::gates
