#include "tests/bench/measure.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace bench {
namespace {

long Preemptions() {
  struct rusage usage {};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

double NowNs(clockid_t clock) {
  struct timespec now {};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void Sleep(Nanos time) {
  struct timespec span {
    .tv_sec = time.count() / 1'000'000'000, .tv_nsec = time.count() % 1'000'000'000
  };
  clock_nanosleep(CLOCK_MONOTONIC, 0, &span, nullptr);
}

void MeasureBlock(const Rounds& plan, const Contender& run, Timings& timings) {
  if (plan.pace.count() > 0) Sleep(plan.pace);
  const clockid_t clock =
      plan.stopwatch == Stopwatch::kThreadCpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  std::vector<double> block_ns(static_cast<size_t>(plan.timed));
  for (int i = 0; i < plan.settle; ++i) run();
  const long before = Preemptions();
  for (double& sample : block_ns) {
    const double start = NowNs(clock);
    run();
    sample = NowNs(clock) - start;
  }
  const bool clean = plan.stopwatch != Stopwatch::kWallClean || Preemptions() == before;
  timings.Add(block_ns, clean);
}

}  // namespace

void Timings::Add(const std::vector<double>& block_ns, bool clean) {
  std::vector<double>& samples = clean ? clean_ : preempted_;
  samples.insert(samples.end(), block_ns.begin(), block_ns.end());
}

double Timings::Quantile(double q) const {
  std::vector<double> samples = clean_.empty() ? preempted_ : clean_;
  if (samples.empty()) GiveUp("a figure without a sample");
  const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(samples.size())));
  const auto at = samples.begin() + static_cast<std::ptrdiff_t>(std::max<size_t>(rank, 1) - 1);
  std::nth_element(samples.begin(), at, samples.end());
  return *at;
}

Bench::Bench(std::string area, int argc, char** argv) : area_(std::move(area)) {
  smoke_ = argc == 2 && std::strcmp(argv[1], "--smoke") == 0;
  if (argc == 1 || smoke_) return;
  std::fprintf(stderr, "usage: %s [--smoke]\n", argv[0]);
  std::exit(2);
}

Bench::~Bench() {
  const double all = static_cast<double>(clean_ + preempted_);
  if (all > 0) Print("clean_samples", static_cast<double>(clean_) / all, "of all");
}

std::vector<Timings> Bench::Interleave(Rounds plan, const std::vector<Contender>& contenders) {
  if (smoke_) plan.rounds = std::min(plan.rounds, 2);
  std::vector<Timings> timings(contenders.size());
  for (int round = 0; round < plan.rounds; ++round) {
    for (size_t i = 0; i < contenders.size(); ++i) {
      const size_t who = (static_cast<size_t>(round) + i) % contenders.size();
      MeasureBlock(plan, contenders[who], timings[who]);
    }
  }
  if (plan.stopwatch != Stopwatch::kWallClean) return timings;
  for (const Timings& one : timings) {
    clean_ += one.clean();
    preempted_ += one.preempted();
  }
  return timings;
}

void Bench::Print(const std::string& name, double value, const std::string& unit,
                  const std::string& target) const {
  const char* format = std::abs(value) < 1000 ? "%s/%s\t%.3g\t%s\t%s\n" : "%s/%s\t%.0f\t%s\t%s\n";
  std::printf(format, area_.c_str(), name.c_str(), value, unit.c_str(), target.c_str());
  std::fflush(stdout);
}

void Bench::PrintAdded(const std::string& name, const Timings& ours, const Timings& bare,
                       const AddedTargets& targets) const {
  Print(name + "/p50", ours.p50_ns() / bare.p50_ns(), "x bare", targets.ratio);
  Print(name + "/p99", ours.p99_ns() / bare.p99_ns(), "x bare");
  Print(name + "/added_p50", (ours.p50_ns() - bare.p50_ns()) * 1e-3, "us", targets.p50);
  Print(name + "/added_p99", (ours.p99_ns() - bare.p99_ns()) * 1e-3, "us", targets.p99);
}

void GiveUp(const std::string& why) {
  std::fprintf(stderr, "benchmark: %s\n", why.c_str());
  std::exit(1);
}

}  // namespace bench
