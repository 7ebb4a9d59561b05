#include <cmath>
#include <cstdlib>
#include <new>
#include <random>

#include "agent/runtime/controller.h"
#include "agent/runtime/shadow_run.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/support/status_matchers.h"

// What a whole run of ticks must be: the same every time, free of allocation, and always an answer.

namespace {
thread_local size_t allocations = 0;
}  // namespace

// Out of line, because an inlined free() looks to the compiler like a mismatch with `new`.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace agent::runtime {
namespace {

using agent::base::RunOutcome;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::DrivenRobot;
using ::tests::Packet;
namespace v1 = ::gatekeeper::v1;

// A life full of faults, from one seed: the bytes of all its tick records.
std::string Life(uint64_t seed, int ticks) {
  std::mt19937_64 random(seed);
  DrivenRobot robot;
  robot.GivePrevious();
  std::string bytes;
  for (int i = 0; i < ticks; ++i) {
    const auto chance = [&](uint64_t one_in) { return random() % one_in == 0; };
    const auto near_one = [&] { return static_cast<float>(random() % 2001) * 1e-3F - 1.0F; };
    robot.unit.model->says = {near_one(), near_one()};
    robot.previous.model->says = {near_one(), near_one()};
    if (chance(50)) robot.unit.model->says[0] = std::numeric_limits<float>::quiet_NaN();
    robot.unit.model->outcome = chance(20) ? RunOutcome::kDeadlineMissed : RunOutcome::kDone;
    if (chance(300)) robot.unit.model->outcome = RunOutcome::kFailed;
    robot.estop = chance(2000);
    robot.asking = !chance(30);
    const Tick* tick = nullptr;
    if (chance(10)) {
      tick = &robot.Silence();
    } else {
      tick = &robot.Tick([&](v1::Observation& packet) {
        packet.mutable_odom()->set_x_m(static_cast<double>(random() % 2000) * 0.01);
        packet.mutable_odom()->set_yaw_rad(static_cast<double>(random() % 628) * 0.01);
        if (random() % 20 == 0) tests::PutAhead(packet, 0.3F);
        if (random() % 40 == 0) packet.mutable_odom()->set_vx_mps(std::nan(""));
        if (random() % 40 == 0) packet.set_stamp_ns(1);
        packet.set_network_up(random() % 50 != 0);
      });
    }
    EXPECT_EQ(tick->enforced.size(), 2U) << "there is always an answer";
    for (double value : tick->enforced) EXPECT_TRUE(std::isfinite(value));
    const std::string record = ToRecord(*tick).SerializeAsString();
    bytes += record;
    if (chance(400)) robot.controller.Rearm(robot.now).IgnoreError();
  }
  return bytes;
}

TEST(DeterminismTest, TheSameInputsGiveTheSameBytes) {
  for (uint64_t seed : {1, 2, 3}) {
    const std::string once = Life(seed, 5000);
    for (int run = 0; run < 4; ++run) ASSERT_EQ(Life(seed, 5000), once) << seed;
  }
  EXPECT_NE(Life(1, 100), Life(2, 100));
}

TEST(DeterminismTest, ATickAllocatesNothingAfterWarmUp) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.unit.model->says = {1.2F, 2.0F};
  std::vector<v1::Observation> packets;
  for (int i = 1; i <= 400; ++i) {
    packets.push_back(Packet(robot.now + milliseconds(50) * i));
    packets.back().mutable_odom()->set_x_m(19.4);
  }
  size_t observing = 0;
  size_t stepping = 0;
  for (size_t i = 0; i < packets.size(); ++i) {
    robot.now += milliseconds(50);
    const size_t before = allocations;
    robot.controller.Observe(packets[i], robot.now);
    const size_t between = allocations;
    robot.controller.Step(robot.now);
    if (i < 200) continue;
    observing += between - before;
    stepping += allocations - between;
  }
  EXPECT_EQ(observing, 0U);
  EXPECT_EQ(stepping, 0U);
}

// --- shadow
// ------------------------------------------------------------------------------------------

class ShadowTest : public testing::Test {
 protected:
  const ShadowTick& Step(const std::function<void(v1::Observation&)>& edit = {}) {
    now_ += milliseconds(50);
    v1::Observation packet = Packet(now_);
    packet.mutable_odom()->set_vx_mps(driven_[0]);
    if (edit) edit(packet);
    board_.Accept(packet, now_);
    return shadow_.Step(board_, driven_, now_);
  }
  tests::Unit unit_{std::string(64, 'c')};
  ShadowRun shadow_{*unit_.pilot};
  InputBoard board_;
  std::vector<double> driven_ = {0.5, 0};
  Nanos now_ = tests::kStartOfTime;
};

TEST_F(ShadowTest, SaysWhatTheCandidateWouldHaveDone) {
  unit_.model->says = {0.52F, 0.0F};
  const ShadowTick& tick = Step();
  EXPECT_TRUE(tick.ran);
  EXPECT_THAT(tick.raw, ElementsAre(testing::DoubleNear(0.52, 1e-6), 0));
  EXPECT_EQ(tick.enforced, tick.raw);
  EXPECT_FALSE(tick.clamped || tick.nonfinite || tick.deadline_missed || tick.failed);
  EXPECT_EQ(tick.infer, std::chrono::microseconds(70));
}

TEST_F(ShadowTest, SaysWhatItsPolicyWouldHaveHeldBack) {
  unit_.model->says = {1.2F, 0.0F};
  const ShadowTick& tick = Step();
  EXPECT_TRUE(tick.clamped);
  EXPECT_NEAR(tick.enforced[0], 0.525, 1e-12)
      << "from the 0.5 m/s that the robot is really driven at, and as steadily";
}

TEST_F(ShadowTest, GoesOnAcceleratingWithTheRobot) {
  unit_.model->says = {0.9F, 0.0F};
  Step();
  driven_[0] = 0.53;
  EXPECT_NEAR(Step().enforced[0], 0.53 + 0.055, 1e-12) << "0.6 m/s2 so far and half as much more";
}

TEST_F(ShadowTest, NamesEachWayToFail) {
  unit_.model->says = {std::numeric_limits<float>::quiet_NaN(), 0};
  EXPECT_TRUE(Step().nonfinite);
  EXPECT_THAT(Step().raw, IsEmpty());
  unit_.model->outcome = RunOutcome::kDeadlineMissed;
  EXPECT_TRUE(Step().deadline_missed);
  unit_.model->outcome = RunOutcome::kFailed;
  EXPECT_TRUE(Step().failed);
  EXPECT_THAT(Step().enforced, IsEmpty());
}

TEST_F(ShadowTest, DoesNotRunOnInputsThatAreNotFresh) {
  const ShadowTick& tick = shadow_.Step(board_, driven_, now_);
  EXPECT_FALSE(tick.ran);
  EXPECT_EQ(unit_.model->runs, 0);
}

TEST_F(ShadowTest, SeesStopZonesAsTheActiveUnitDoes) {
  unit_.model->says = {0.5F, 0.0F};
  const ShadowTick& tick = Step([](v1::Observation& packet) { tests::PutAhead(packet, 0.4F); });
  EXPECT_THAT(tick.enforced, ElementsAre(0, 0));
}

}  // namespace
}  // namespace agent::runtime
