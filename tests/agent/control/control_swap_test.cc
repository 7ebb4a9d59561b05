#include <gmock/gmock.h>
#include <malloc.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/sanitized.h"
#include "agent/control/control_core.h"
#include "agent/control/worker_source.h"
#include "gatekeeper/sim/onnx_writer.h"
#include "tests/agent/control/cruise_model.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sealed_unit.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// Swaps of units that really are loaded: ControlCore over real workers and sealed units on disk,
// under a clock that only frames move. What is counted are frames, never time.

namespace tests {
namespace {

namespace fs = std::filesystem;
namespace v1 = ::gatekeeper::v1;
using agent::base::Nanos;
using gatekeeper::sim::OnnxNode;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kSwaps = 200;
constexpr int kWarmSwaps = 5;
constexpr int kLoads = agent::base::kSanitized ? 30 : 200;  // a worker takes seconds to load there
constexpr Nanos kLoadPatience = std::chrono::minutes(2);    // only a hang comes to it

// The same, 0.25 m/s, after as many products of matrices of (1023 vx + 1)² as take a minute: at a
// measured 1 m/s nothing but the end of its process ends the run.
std::string MusingModel() {
  constexpr int64_t kInt64 = 7;
  std::vector<OnnxNode> nodes = {{"Cast", {"first"}, {"start"}, {{"to", kInt64}}, ""},
                                 {"Cast", {"second"}, {"end"}, {{"to", kInt64}}, ""},
                                 {"Cast", {"second"}, {"axis"}, {{"to", kInt64}}, ""},
                                 {"Slice", {"features", "start", "end", "axis"}, {"vx"}, {}, ""},
                                 {"Mul", {"vx", "size"}, {"scaled"}, {}, ""},
                                 {"Add", {"scaled", "one"}, {"rows"}, {}, ""},
                                 {"Cast", {"flat"}, {"flat_shape"}, {{"to", kInt64}}, ""},
                                 {"Reshape", {"rows", "flat_shape"}, {"row"}, {}, ""},
                                 {"Concat", {"row", "row"}, {"shape"}, {{"axis", int64_t{0}}}, ""},
                                 {"Cast", {"shape"}, {"sizes"}, {{"to", kInt64}}, ""},
                                 {"ConstantOfShape", {"sizes"}, {"p0"}, {}, ""}};
  constexpr int kProducts = 3'000;
  for (int i = 0; i < kProducts; ++i) {
    nodes.push_back(
        {"MatMul", {"p" + std::to_string(i), "p0"}, {"p" + std::to_string(i + 1)}, {}, ""});
  }
  nodes.push_back(
      {"ReduceMax", {"p" + std::to_string(kProducts)}, {"zero"}, {{"keepdims", int64_t{1}}}, ""});
  nodes.push_back({"Add", {"zero", "answer"}, {"command"}, {}, ""});
  return gatekeeper::sim::WriteOnnx({.inputs = {{"features", {1, 2}}},
                                     .outputs = {{"command", {1, 2}}},
                                     .constants = {{"first", {1}, {0}},
                                                   {"second", {1}, {1}},
                                                   {"size", {1}, {1023}},
                                                   {"one", {1}, {1}},
                                                   {"flat", {1}, {-1}},
                                                   {"answer", {1, 2}, {0.25F, 0}}},
                                     .nodes = std::move(nodes)});
}

size_t EntriesIn(const char* folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
}

struct Footprint {
  size_t resident_pages = 0;
  size_t descriptors = 0;
  size_t threads = 0;
};

Footprint FootprintNow() {
  malloc_trim(0);  // garbage of the test itself
  Footprint now;
  size_t size = 0;
  std::ifstream("/proc/self/statm") >> size >> now.resident_pages;
  now.descriptors = EntriesIn("/proc/self/fd");
  now.threads = EntriesIn("/proc/self/task");
  return now;
}

class SwapTest : public testing::Test {
 protected:
  SwapTest() {
    WriteFile(state() + "/trust.json", TestTrust().ToJson());
    Begin("");
  }

  // Control's life begins, with ONNX Runtime at `library`; empty: where it is.
  void Begin(const std::string& library) {
    core_.reset();
    source_.reset();
    auto source = agent::control::WorkerSource::Start(
        {.trust_path = state() + "/trust.json",
         .worker = {.path = GATEKEEPER_WORKER, .library = library}},
        files_);
    EXPECT_OK(source);
    source_ = *std::move(source);
    core_ = std::make_unique<agent::control::ControlCore>(state(), files_, clock_, *source_);
  }
  ~SwapTest() override { core_.reset(); }

  std::string state() const { return folder_ / "state"; }

  // The digest of a unit on disk whose model asks for `vx_mps`.
  std::string Stage(const UnitRecipe& recipe, double vx_mps) {
    const SealedUnit unit = MakeUnit(recipe);
    const std::string slot = state() + "/slots/" + unit.digest;
    WriteUnit(slot, unit.files, unit.manifest);
    for (const auto& [name, bytes] : unit.papers.seal()) WriteFile(slot + "/seal/" + name, bytes);
    golden_[unit.digest] = vx_mps;
    return unit.digest;
  }
  std::string Cruise(const std::string& version, float vx_mps) {
    return Stage({.version = version, .model = CruiseModel(vx_mps)}, vx_mps);
  }

  // One frame: exactly one tick, and one command, of the one unit that drives.
  const agent::runtime::Tick& Frame() {
    clock_.Advance(milliseconds(50));
    v1::Observation seen;
    seen.set_seq(++seq_);
    seen.set_stamp_ns(clock_.Now().count());
    seen.set_want_command(true);
    seen.set_network_up(true);
    seen.mutable_odom()->set_stamp_ns(clock_.Now().count());
    seen.mutable_odom()->set_vx_mps(measured_vx_mps_);
    core_->Observe(seen, clock_.Now());
    const agent::runtime::Tick& tick = core_->Tick(clock_.Now());
    const v1::Command command = core_->CommandFor(seq_);
    EXPECT_EQ(command.seq(), seq_);
    EXPECT_EQ(command.unit_digest(), tick.digest);
    if (!tick.raw.empty()) {
      ++answered_;
      // The answer of exactly this unit.
      EXPECT_EQ(static_cast<float>(tick.raw[0]), static_cast<float>(golden_.at(tick.digest)));
    }
    if (tick.digest != last_digest_) {
      changes_.push_back(tick.digest);
      last_digest_ = tick.digest;
    }
    core_->Poll(clock_.Now());
    return tick;
  }

  void Order(const std::string& digest) {
    v1::ControlOrder order;
    order.set_seq(++order_seq_);
    order.set_stage(v1::STAGE_COMMIT);
    order.set_candidate_digest(digest);
    order.set_lease_ms(60'000);
    order.set_link_up(true);
    core_->Apply(order, clock_.Now());
    core_->Poll(clock_.Now());
  }

  // Frames until `digest` drives; while a worker loads, the news of it is waited for.
  void DriveUntil(const std::string& digest) {
    const agent::base::SystemClock wall;
    const Nanos until = wall.Now() + kLoadPatience;
    while (Frame().digest != digest) {
      ASSERT_LT(wall.Now(), until);
      pollfd news{.fd = source_->news_fd(), .events = POLLIN, .revents = 0};
      poll(&news, 1, 2);
    }
  }
  void CommitUnit(const std::string& digest) {
    Order(digest);
    DriveUntil(digest);
  }

  // The detail of the first event of this kind, which frames go on until.
  std::string DetailOf(const std::string& kind) {
    const agent::base::SystemClock wall;
    for (const Nanos until = wall.Now() + kLoadPatience; wall.Now() < until;) {
      const v1::ControlReport report = core_->Report(clock_.Now());
      for (const v1::ControlEvent& event : report.events()) {
        if (event.kind() == kind) return event.detail();
      }
      Frame();
      pollfd news{.fd = source_->news_fd(), .events = POLLIN, .revents = 0};
      poll(&news, 1, 2);
    }
    return "no event " + kind;
  }

  TempFolder folder_;
  agent::base::OsFiles files_;
  FakeClock clock_;
  std::unique_ptr<agent::control::WorkerSource> source_;
  std::unique_ptr<agent::control::ControlCore> core_;
  std::map<std::string, double> golden_;  // digest -> what its model always asks for
  std::string last_digest_;
  std::vector<std::string> changes_;  // who drove, in order
  double measured_vx_mps_ = 0;
  int answered_ = 0;
  uint64_t seq_ = 0;
  uint64_t order_seq_ = 0;
};

TEST_F(SwapTest, TwoHundredSwapsBetweenResidentUnitsTakeOneFrameEach) {
  const std::string a = Cruise("1.0.0", 0.2F);
  const std::string b = Cruise("1.1.0", 0.3F);
  CommitUnit(a);
  CommitUnit(b);
  changes_.clear();

  std::vector<std::string> wanted;
  for (int i = 0; i < kSwaps; ++i) {
    wanted.push_back(i % 2 == 0 ? a : b);
    Order(wanted.back());
    ASSERT_EQ(Frame().digest, wanted.back()) << "swap " << i;
    Frame();
  }

  EXPECT_EQ(changes_, wanted);
  EXPECT_GT(answered_, kSwaps);  // a busy computer may miss some deadlines, and only that
}

// Three units in turn: control keeps two, so that each swap starts a worker and ends another.
TEST_F(SwapTest, LoadsLeaveNothingBehind) {
  const std::vector<std::string> units = {Cruise("1.0.0", 0.2F), Cruise("1.1.0", 0.3F),
                                          Cruise("1.2.0", 0.4F)};
  std::vector<std::string> wanted = {""};  // before the first
  Footprint early;
  for (int i = 0; i < kLoads; ++i) {
    wanted.push_back(units[static_cast<size_t>(i) % units.size()]);
    CommitUnit(wanted.back());
    if (HasFatalFailure()) return;
    if (i + 1 == kWarmSwaps) early = FootprintNow();
  }
  // The last worker but one may still be ending.
  for (int i = 0; i < 500 && FootprintNow().descriptors > early.descriptors; ++i) Frame();
  const Footprint late = FootprintNow();

  if (wanted.front() != changes_.front()) wanted.erase(wanted.begin());
  EXPECT_EQ(changes_, wanted);
  if (!agent::base::kSanitized) {  // which keeps freed memory to catch its use
    EXPECT_LE(late.resident_pages, early.resident_pages + early.resident_pages / 10);
  }
  EXPECT_LE(late.descriptors, early.descriptors);
  EXPECT_EQ(late.threads, early.threads);
  RecordProperty("resident_pages_after_5", std::to_string(early.resident_pages));
  RecordProperty("resident_pages_at_the_end", std::to_string(late.resident_pages));
}

TEST_F(SwapTest, ARunThatNothingStopsIsAnsweredByTheFallbackAndNeverShownLate) {
  const std::string good = Cruise("1.0.0", 0.25F);
  const std::string musing = Stage({.version = "1.1.0", .model = MusingModel()}, 0.25);
  CommitUnit(good);
  CommitUnit(musing);
  while (Frame().raw.empty()) {
  }

  measured_vx_mps_ = 1;  // from here each run takes a minute
  const int before = answered_;
  const agent::runtime::Tick& first = Frame();
  EXPECT_TRUE(first.deadline_missed);
  EXPECT_TRUE(first.raw.empty());
  bool ruled = false;
  for (int i = 0; i < 20 && !ruled; ++i) ruled = Frame().state != "NOMINAL";

  EXPECT_TRUE(ruled);
  // Whoever answered since is last-good, resident and warm: the fallback's previous model.
  EXPECT_LE(answered_ - before, 20);
}

std::string GoldenOfCruise(float vx_mps) {
  return absl::StrFormat(
      R"({"schema":"golden/1","numerics_key":"another computer","abs_tolerance":0.001,)"
      R"("rel_tolerance":0,"inputs":["features"],"outputs":["command"],)"
      R"("cases":[{"inputs":[[0,0]],"outputs":[[%g,0]]}]})",
      vx_mps);
}

TEST_F(SwapTest, TellsWhatAUnitRunsOnAndThatItGaveItsGoldenAnswers) {
  CommitUnit(Stage({.version = "1.0.0", .model = CruiseModel(0.2F), .golden = GoldenOfCruise(0.2F)},
                   0.2F));
  EXPECT_THAT(DetailOf("unit_warm"),
              AllOf(HasSubstr("onnxruntime 1."), HasSubstr("ep=cpu"),
                    HasSubstr("1 golden answers within tolerance of another numerics key's")));
}

TEST_F(SwapTest, AUnitThatDoesNotGiveItsGoldenAnswersIsRefusedByName) {
  const std::string good = Cruise("1.0.0", 0.2F);
  CommitUnit(good);
  Order(Stage({.version = "1.1.0", .model = CruiseModel(0.3F), .golden = GoldenOfCruise(0.31F)},
              0.3F));

  EXPECT_THAT(DetailOf("load_failed"), HasSubstr("cases[0] output 'command'[0] is 0.3"));
  EXPECT_EQ(core_->Report(clock_.Now()).candidate_state(), v1::CANDIDATE_FAILED);
  EXPECT_EQ(Frame().digest, good);
}

TEST_F(SwapTest, WithoutOnnxRuntimeTheRulesStillHoldTheRobot) {
  Begin("/nowhere/libonnxruntime.so.1");
  Order(Cruise("1.0.0", 0.2F));

  EXPECT_THAT(DetailOf("load_failed"), HasSubstr("/nowhere/libonnxruntime.so.1"));
  EXPECT_TRUE(Frame().stop);
}

}  // namespace
}  // namespace tests
