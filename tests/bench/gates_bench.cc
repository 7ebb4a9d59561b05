// What the gates' replay adds to reading a recording and running the model (the demonstration's
// small one, one of 20 us, and one of the size that robots carry), what a second thread gains, and
// how much memory a recording of BENCH_RECORDING_MIB (256; 4096 is the size of the target) takes to
// be replayed.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "agent/inference/onnx_runtime.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/observation_writer.h"
#include "agent/runtime/binding.h"
#include "gatekeeper/gates/replay_farm.h"
#include "gatekeeper/sim/scenario_library.h"
#include "tests/bench/hall_robot.h"
#include "tests/bench/measure.h"
#include "tests/support/nav_release.h"
#include "tests/support/temp_folder.h"

namespace {

namespace gates = gatekeeper::gates;
namespace v1 = gatekeeper::v1;
using agent::inference::OnnxRuntime;
using agent::recording::ObservationReader;
using agent::recording::RecordedItem;
using bench::Bench;
using bench::Must;
using bench::Timings;

constexpr agent::base::Nanos kPatience = std::chrono::seconds(10);
constexpr bench::Rounds kOneThread{.rounds = 7, .stopwatch = bench::Stopwatch::kThreadCpu};
constexpr bench::Rounds kThreads{.rounds = 7, .stopwatch = bench::Stopwatch::kWall};

struct Unit {
  std::shared_ptr<const agent::runtime::UnitRules> rules;
  std::string onnx;

  std::unique_ptr<agent::base::Model> Load(const OnnxRuntime& runtime) const {
    return Must(runtime.Load(onnx, Must(agent::runtime::SignatureFor(rules->card, rules->policy))));
  }
  std::unique_ptr<gates::TestBench> MakeBench(const OnnxRuntime& runtime) const {
    return Must(gates::TestBench::Create(std::string(64, 'a'), rules, Load(runtime)));
  }
  gates::Crew MakeCrew(const OnnxRuntime& runtime, int benches) const {
    gates::Crew crew;
    crew.rules = rules;
    for (int i = 0; i < benches; ++i) crew.benches.push_back(MakeBench(runtime));
    return crew;
  }
};

// The demonstration's unit nav@1.1.0.
Unit SmallUnit() {
  return {.rules = Must(agent::runtime::LoadRules(tests::NavFile("card.yaml"),
                                                  tests::NavFile("control_policy.yaml"),
                                                  tests::NavFile("fallback_rules.yaml"))),
          .onnx = tests::NavFile("models/nav-1.1.0.onnx")};
}

// The same robot with another network: of 512 hidden values some 20 us a run, of 2048 the runtime
// bench's 0.7 ms.
Unit HallUnit(int64_t hidden) {
  constexpr int64_t kInputs = 64;
  return {.rules = bench::HallRules(kInputs),
          .onnx = bench::MakeNetwork({kInputs}, hidden, 8).onnx};
}

size_t ReadAndRun(const std::vector<gates::Scenario>& scenarios, agent::base::Model& model) {
  size_t runs = 0;
  for (const gates::Scenario& scenario : scenarios) {
    const auto reader = Must(ObservationReader::Open(scenario.recording));
    Must(reader.ForEach([&](const RecordedItem& item) {
      if (!std::holds_alternative<v1::Observation>(item.content)) return absl::OkStatus();
      bench::DoNotOptimize(model.Run(kPatience));
      ++runs;
      return absl::OkStatus();
    }));
  }
  return runs;
}

size_t ReplayAll(gates::ReplayFarm& farm, unsigned threads) {
  std::vector<gates::ReplayJob> jobs(farm.scenarios().size());
  for (size_t i = 0; i < jobs.size(); ++i) jobs[i].scenario = i;
  const std::vector<gates::Replay> replays = farm.Replays(jobs, threads);
  size_t ticks = 0;
  for (const gates::Replay& replay : replays) {
    Must(replay.status);
    ticks += replay.ticks.size();
  }
  return ticks;
}

double ProcessorSeconds() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Processor time that the same replays take on one thread, over that on two: 1 when threads do not
// stand in one another's way, however busy the machine is.
double SharedWork(gates::ReplayFarm& farm, int rounds) {
  double taken_s[2] = {0, 0};
  for (int round = 0; round < rounds; ++round) {
    for (const unsigned threads : {1U, 2U}) {
      const double before = ProcessorSeconds();
      bench::DoNotOptimize(ReplayAll(farm, threads));
      taken_s[threads - 1] += ProcessorSeconds() - before;
    }
  }
  return taken_s[0] / taken_s[1];
}

constexpr int kWidth = 640;
constexpr int kHeight = 480;
constexpr int64_t kPeriod_ns = 50'000'000;

// A drive through the demonstration's hall with a camera that sees noise, which nothing compresses.
gates::Scenario RecordLarge(const std::string& path, const std::string& like, uint64_t bytes) {
  v1::Observation observation;  // the first that has what the unit requires
  const auto reader = Must(ObservationReader::Open(like));
  reader
      .ForEach([&](const RecordedItem& item) {
        const auto* found = std::get_if<v1::Observation>(&item.content);
        if (found == nullptr) return absl::OkStatus();
        observation = *found;
        return absl::CancelledError("found");
      })
      .IgnoreError();
  auto writer = Must(agent::recording::ObservationWriter::Create(path));
  std::minstd_rand random(7);
  std::string pixels(size_t{kWidth} * kHeight * 3, '\0');
  for (int64_t at_ns = kPeriod_ns; writer.bytes_written() < bytes; at_ns += kPeriod_ns) {
    for (size_t i = 0; i + 4 <= pixels.size(); i += 4) {
      const auto word = static_cast<uint32_t>(random());
      std::memcpy(&pixels[i], &word, sizeof(word));
    }
    observation.set_stamp_ns(at_ns);
    observation.mutable_image()->set_width(kWidth);
    observation.mutable_image()->set_height(kHeight);
    observation.mutable_image()->set_encoding("rgb8");
    observation.mutable_image()->set_data(pixels);
    Must(writer.Write(observation, agent::base::Nanos(at_ns)));
  }
  Must(writer.Close());
  gates::Scenario scenario;
  scenario.document.set_id("large");
  scenario.recording = path;
  return scenario;
}

// Peak memory of a process that does nothing but this replay, in MiB.
double PeakMiB(const gates::Scenario& scenario, gates::TestBench& replaying) {
  const pid_t child = fork();
  if (child == 0) _exit(gates::RunReplay(scenario, replaying).status.ok() ? 0 : 1);
  int status = 0;
  struct rusage usage {};
  if (wait4(child, &status, 0, &usage) != child || status != 0)
    bench::GiveUp("the large recording cannot be replayed");
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void MeasureMemory(const Bench& bench, const std::string& folder, const std::string& like,
                   gates::TestBench& replaying) {
  const char* wanted = std::getenv("BENCH_RECORDING_MIB");
  const int mib = wanted != nullptr ? std::atoi(wanted) : bench.Sized(256, 4);
  const gates::Scenario large =
      RecordLarge(folder + "/large.mcap", like, static_cast<uint64_t>(mib) << 20);
  bench.Print("replay/large/file", mib, "MiB");
  bench.Print("replay/large/peak", PeakMiB(large, replaying), "MiB", "<= 200");
}

// Prints what replays reach of the rate of the bare loop, turn by turn.
void MeasureReplay(Bench& bench, const std::string& name, gates::ReplayFarm& farm,
                   agent::base::Model& model) {
  size_t runs = 0;
  size_t ticks = 0;
  const std::vector<Timings> timings = bench.Interleave(
      kOneThread,
      {[&] { runs = ReadAndRun(farm.scenarios(), model); }, [&] { ticks = ReplayAll(farm, 1); }});
  const double bare_per_s = static_cast<double>(runs) * 1e9 / timings[0].p50_ns();
  const double ticks_per_s = static_cast<double>(ticks) * 1e9 / timings[1].p50_ns();
  bench.Print("read_and_run/" + name, bare_per_s, "packets/s");
  bench.Print("replay/" + name + "/ticks", ticks_per_s, "ticks/s");
  bench.Print("replay/" + name, ticks_per_s / bare_per_s, "x rate of read and run", ">= 0.8");
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("gates", argc, argv);
  const tests::TempFolder folder;
  Must(gatekeeper::sim::RecordLibrary({.folder = folder / "scenarios",
                                       .seed = 7,
                                       .clips_per_segment = bench.Sized(12, 2),
                                       .clip_seconds = bench.smoke() ? 2.0 : 8.0}));
  const auto scenarios = Must(gates::LoadScenarios(folder / "scenarios"));
  const std::vector<gates::Scenario> few(scenarios.begin(), scenarios.begin() + 4);
  const auto runtime = Must(OnnxRuntime::Open(agent::inference::DefaultLibraryPath()));
  const std::vector<bool> intact(scenarios.size(), true);
  const Unit small = SmallUnit();
  const Unit medium = HallUnit(512);
  const Unit large = HallUnit(2048);
  MeasureMemory(bench, folder.path(), scenarios.front().recording, *small.MakeBench(*runtime));
  gates::FarmBooks books;
  gates::ReplayFarm farm(small.MakeCrew(*runtime, 2), gates::Crew(), scenarios, intact, 2, books);
  gates::ReplayFarm medium_farm(medium.MakeCrew(*runtime, 1), gates::Crew(), scenarios, intact, 1,
                                books);
  gates::ReplayFarm slow_farm(large.MakeCrew(*runtime, 1), gates::Crew(), few, intact, 1, books);
  MeasureReplay(bench, "small_model", farm, *small.Load(*runtime));
  MeasureReplay(bench, "medium_model", medium_farm, *medium.Load(*runtime));
  MeasureReplay(bench, "large_model", slow_farm, *large.Load(*runtime));

  const std::vector<Timings> threads =
      bench.Interleave(kThreads, {[&] { bench::DoNotOptimize(ReplayAll(farm, 1)); },
                                  [&] { bench::DoNotOptimize(ReplayAll(farm, 2)); }});
  bench.Print("replay/two_threads", threads[0].p50_ns() / threads[1].p50_ns(),
              "x rate of one thread", ">= 1.7");
  bench.Print("replay/two_threads/work", SharedWork(farm, bench.Sized(7, 2)),
              "x processor time of one thread", ">= 0.85");
  return 0;
}
