#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gatekeeper/gates/crew.h"
#include "gatekeeper/gates/fault.h"
#include "gatekeeper/gates/kept_result.h"
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
  bool fresh = false;   // do it even where its result is kept
  std::string or_variant = {};  // whose kept result will do as well; empty: none
};

// What a replay is wanted for.
struct ReplayJob {
  enum class Keep { kAll, kVerdicts };  // kVerdicts: the digest and nothing that takes memory
  Subject subject = Subject::kCandidate;
  size_t scenario = 0;
  Fault fault = {};
  uint32_t run = 0;
  Keep keep = Keep::kAll;
  bool timed = false;  // its times are looked at; only with one thread are they worth it
  bool fresh = false;

  Job Name() const;
};

// How far a list of jobs is.
struct FarmProgress {
  size_t done = 0;
  size_t jobs = 0;
};

// What the farms of one run have in common.
struct FarmBooks {
  KeptResults* kept = nullptr;                    // null: every job is done
  agent::base::Digest program;                    // of this gatekeeper; part of every key
  std::function<void(const FarmProgress&)> tell;  // from any thread, one at a time; may be empty
  std::atomic<uint32_t> run{0};
  std::atomic<uint32_t> reused{0};
  std::mutex mutex;
  // The first job that was not kept where nothing can be run: a farm whose crew has no benches.
  // The results are worth nothing then.
  absl::Status missing;
};

// Does jobs on benches, one a thread, or takes over results that are kept. Results stand in the
// order of the jobs whatever thread did them.
//
// A new kind of evidence is a list of jobs and a call of Replays, or, where its result is no
// Replay, of Do with a function that makes one result on one bench (and an overload of Pack and
// Unpack in kept_result.h). The choice of jobs may look at earlier results; see evidence_maker.h
// for the rule that keeps it the same in one run and in shards.
class ReplayFarm {
 public:
  // `intact[i]`: scenario i may be replayed; the others get a replay with a status. `deployed` does
  // kDeployed jobs: as many benches, or none and no such job. `books` outlives the farm.
  ReplayFarm(Crew candidate, Crew deployed, const std::vector<Scenario>& scenarios,
             const std::vector<bool>& intact, unsigned threads, FarmBooks& books)
      : candidate_(std::move(candidate)),
        deployed_(std::move(deployed)),
        scenarios_(scenarios),
        intact_(intact),
        threads_(threads),
        books_(books) {}

  std::vector<Replay> Replays(const std::vector<ReplayJob>& jobs) {
    return Replays(jobs, threads_);
  }
  // On fewer threads than there are: one, where times are to be worth something.
  std::vector<Replay> Replays(const std::vector<ReplayJob>& jobs, unsigned threads);

  // play(job's place in the list, scenario, bench) -> Result; called from several threads at once,
  // each with a bench of its own. Only for scenarios that are intact.
  template <class Result, class Play>
  std::vector<Result> Do(const std::vector<Job>& jobs, const Play& play, unsigned threads) {
    std::vector<Result> results(jobs.size());
    ForEach(jobs, threads, [&](size_t i, TestBench* bench) {
      const Scenario& scenario = scenarios_[jobs[i].scenario];
      const bool kept = Recall(jobs[i], bench != nullptr, [&](const v1::KeptResult& result) {
        return Unpack(result, scenario, results[i]);
      });
      if (kept || bench == nullptr) return;
      results[i] = play(i, scenario, *bench);
      ++books_.run;
      if (books_.kept != nullptr) books_.kept->Keep(KeyOf(jobs[i]), Pack(results[i]));
    });
    return results;
  }
  template <class Result, class Play>
  std::vector<Result> Do(const std::vector<Job>& jobs, const Play& play) {
    return Do<Result>(jobs, play, threads_);
  }

  const std::vector<Scenario>& scenarios() const { return scenarios_; }
  bool intact(size_t scenario) const { return intact_[scenario]; }
  bool compares() const { return deployed_.rules != nullptr; }
  // Whether what was found out earlier may be taken over.
  bool keeps() const { return books_.kept != nullptr; }
  unsigned threads() const { return threads_; }
  const agent::runtime::UnitRules& rules() const { return *candidate_.rules; }

 private:
  // `bench` is null where the crew has none.
  void ForEach(const std::vector<Job>& jobs, unsigned threads,
               const std::function<void(size_t, TestBench* bench)>& work);
  // True when a kept result was taken over. False without `can_run` is noted as missing.
  bool Recall(const Job& job, bool can_run,
              const std::function<absl::Status(const v1::KeptResult&)>& take);
  ResultKey KeyOf(const Job& job) const;
  Crew& CrewOf(Subject subject) { return subject == Subject::kCandidate ? candidate_ : deployed_; }
  const Crew& CrewOf(Subject subject) const {
    return subject == Subject::kCandidate ? candidate_ : deployed_;
  }

  Crew candidate_;
  Crew deployed_;
  const std::vector<Scenario>& scenarios_;
  const std::vector<bool>& intact_;
  unsigned threads_;
  FarmBooks& books_;
};

}  // namespace gatekeeper::gates
