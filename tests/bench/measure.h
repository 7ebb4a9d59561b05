#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "benchmark/benchmark.h"

// Figures of this project beside a baseline measured in the same run: on a shared machine only the
// ratio of two interleaved measurements means anything.

namespace bench {

using agent::base::Nanos;
using benchmark::DoNotOptimize;

// How long one thing took, call by call. A sample is clean when the thread was not preempted in it.
class Timings {
 public:
  void Add(const std::vector<double>& block_ns, bool clean);
  // Of the clean samples, or of all where none is clean.
  double p50_ns() const { return Quantile(0.50); }
  double p99_ns() const { return Quantile(0.99); }
  size_t clean() const { return clean_.size(); }
  size_t preempted() const { return preempted_.size(); }

 private:
  double Quantile(double q) const;
  std::vector<double> clean_;
  std::vector<double> preempted_;
};

enum class Stopwatch {
  kWallClean,  // microseconds of work: samples with a preemption are left out
  kWall,       // several threads, or waiting for a disk
  kThreadCpu,  // milliseconds of work, which nobody gets without a preemption
};

struct Rounds {
  int rounds = 0;
  int settle = 0;  // calls before each block that only warm the caches
  int timed = 1;   // calls in a block, each timed alone
  Nanos pace{0};   // sleep before each block: a robot's caches cool down between its ticks
  Stopwatch stopwatch = Stopwatch::kWallClean;
};

using Contender = std::function<void()>;

// One benchmark program: measures, and prints a line a figure on stdout:
// AREA/NAME<TAB>VALUE<TAB>UNIT<TAB>TARGET. Lines "x ..." are ratios, other units are written out.
class Bench {
 public:
  // Takes --smoke: a few calls of everything, to see that it runs. Any other argument ends the
  // program with code 2.
  Bench(std::string area, int argc, char** argv);
  ~Bench();  // prints which share of the samples was clean
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  bool smoke() const { return smoke_; }
  // `full`, or what a smoke run needs of it.
  int Sized(int full, int smoke) const { return smoke_ ? smoke : full; }

  // A block of each contender in each round; who begins changes from round to round.
  std::vector<Timings> Interleave(Rounds plan, const std::vector<Contender>& contenders);

  void Print(const std::string& name, double value, const std::string& unit,
             const std::string& target = "-") const;

  struct AddedTargets {
    std::string p50 = "-";
    std::string p99 = "-";
    std::string ratio = "-";  // of the medians
  };
  // Ratio of the medians and of the slowest hundredth, and what `ours` adds to `bare` at p50 and at
  // p99.
  void PrintAdded(const std::string& name, const Timings& ours, const Timings& bare,
                  const AddedTargets& targets) const;

 private:
  std::string area_;
  bool smoke_ = false;
  size_t clean_ = 0;
  size_t preempted_ = 0;
};

// A benchmark that cannot be set up has no figure: says why and ends the program with code 1.
[[noreturn]] void GiveUp(const std::string& why);

inline void Must(const absl::Status& status) {
  if (!status.ok()) GiveUp(status.ToString());
}
template <class T>
T Must(absl::StatusOr<T> result) {
  Must(result.status());
  return *std::move(result);
}

}  // namespace bench
