#include "gatekeeper/gates/replay_farm.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_format.h"

namespace gatekeeper::gates {
namespace {

// Times count only where nothing ran beside; a result without them does for the rest.
constexpr char kTimed[] = ", timed";
constexpr char kVerdictsOnly[] = ", verdicts only";

Replay NotReplayed(const Scenario& scenario) {
  Replay replay;
  replay.scenario = &scenario;
  replay.status =
      absl::DataLossError("not replayed: the recording is not the one the scenario names");
  return replay;
}

// What is left of a replay of which only the digest will be looked at.
Replay VerdictsOf(const Replay& replay) {
  Replay kept;
  kept.scenario = replay.scenario;
  kept.status = replay.status;
  kept.first_ns = replay.first_ns;
  kept.last_ns = replay.last_ns;
  kept.verdicts = replay.verdicts;
  return kept;
}

}  // namespace

Job ReplayJob::Name() const {
  Job job{.subject = subject, .scenario = scenario, .variant = Text(fault), .run = run};
  job.fresh = fresh;
  if (keep == Keep::kVerdicts) {
    job.variant += kVerdictsOnly;
  } else if (timed) {
    job.variant += kTimed;
  } else {
    job.or_variant = job.variant + kTimed;
  }
  return job;
}

std::vector<Replay> ReplayFarm::Replays(const std::vector<ReplayJob>& jobs, unsigned threads) {
  std::vector<Job> names;
  std::vector<size_t> places;  // of the names among the jobs
  std::vector<Replay> replays(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (intact_[jobs[i].scenario]) {
      names.push_back(jobs[i].Name());
      places.push_back(i);
    } else {
      replays[i] = NotReplayed(scenarios_[jobs[i].scenario]);
    }
  }
  const auto play = [&](size_t n, const Scenario& scenario, TestBench& bench) {
    const ReplayJob& job = jobs[places[n]];
    Replay replay = RunReplay(scenario, bench, job.fault);
    if (job.keep == ReplayJob::Keep::kAll) return replay;  // moved, as a choice of two would not be
    return VerdictsOf(replay);
  };
  std::vector<Replay> done = Do<Replay>(names, play, threads);
  for (size_t n = 0; n < done.size(); ++n) {
    Replay& replay = replays[places[n]] = std::move(done[n]);
    if (replay.scenario != nullptr) continue;
    replay.scenario = &scenarios_[names[n].scenario];  // missing: see FarmBooks
    replay.status = absl::DataLossError("there is no result");
  }
  return replays;
}

void ReplayFarm::ForEach(const std::vector<Job>& jobs, unsigned threads,
                         const std::function<void(size_t, TestBench*)>& work) {
  std::atomic<size_t> next{0};
  size_t done = 0;  // under the books' mutex
  const auto worker = [&](size_t number) {
    for (size_t i = next++; i < jobs.size(); i = next++) {
      const auto& benches = CrewOf(jobs[i].subject).benches;
      work(i, number < benches.size() ? benches[number].get() : nullptr);
      const std::lock_guard lock(books_.mutex);
      ++done;
      if (books_.tell) books_.tell({.done = done, .jobs = jobs.size()});
    }
  };
  if (books_.tell) books_.tell({.done = 0, .jobs = jobs.size()});
  const size_t benches = std::max<size_t>(candidate_.benches.size(), 1);
  const size_t most = std::min({static_cast<size_t>(threads), benches, jobs.size()});
  std::vector<std::jthread> pool;
  for (size_t number = 1; number < most; ++number) pool.emplace_back(worker, number);
  worker(0);
}

bool ReplayFarm::Recall(const Job& job, bool can_run,
                        const std::function<absl::Status(const v1::KeptResult&)>& take) {
  absl::Status why = absl::NotFoundError("no such result");
  if (books_.kept != nullptr && !(job.fresh && can_run)) {
    Job as = job;
    for (const std::string& variant : {job.variant, job.or_variant}) {
      if (variant.empty()) continue;
      as.variant = variant;
      const auto kept = books_.kept->Find(KeyOf(as));
      if (!kept.has_value()) continue;
      why = take(*kept);
      if (!why.ok()) continue;
      ++books_.reused;
      return true;
    }
  }
  if (!can_run) {
    const std::lock_guard lock(books_.mutex);
    if (books_.missing.ok()) {
      books_.missing = absl::DataLossError(
          absl::StrFormat("scenario %s, %s, run %d: %s", scenarios_[job.scenario].document.id(),
                          job.variant, job.run, std::string(why.message())));
    }
  }
  return false;
}

ResultKey ReplayFarm::KeyOf(const Job& job) const {
  const Crew& crew = CrewOf(job.subject);
  return {.unit = crew.unit,
          .scenario = scenarios_[job.scenario].sha256,
          .engine = crew.engine,
          .program = books_.program,
          .variant = job.variant,
          .run = job.run};
}

}  // namespace gatekeeper::gates
