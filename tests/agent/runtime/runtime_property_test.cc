#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "agent/runtime/enforce.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/cases.h"

// What holds for any input of the whole control policy of a mobile base, tried on a million random
// ones from a fixed seed.

namespace agent::runtime {
namespace {

using ::tests::Compiled;
using ::tests::NavPolicyDocument;
namespace v1 = ::gatekeeper::v1;

const int kInputs = tests::Cases(1'000'000);

constexpr double kRounding = 1e-9;
constexpr double kEdge = 1e-5;  // m/s: the edge of the envelope is found to a micrometre

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  double In(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  bool OneIn(uint64_t n) { return engine_() % n == 0; }
  uint64_t Below(uint64_t n) { return engine_() % n; }
  // Mostly something a model might say, sometimes any bits at all.
  double Anything() {
    switch (Below(16)) {
      case 0:
        return std::numeric_limits<double>::quiet_NaN();
      case 1:
        return std::bit_cast<double>(engine_());
      case 2:
        return 0;
      case 3:
        return In(-1e-6, 1e-6);
      default:
        return In(-1.6, 1.6);
    }
  }

 private:
  std::mt19937_64 engine_;
};

struct World {
  std::vector<double> wanted, last, last_raw;
  Situation situation;
};

World RandomWorld(Random& random) {
  World world;
  world.wanted = {random.Anything(), random.Anything()};
  world.last = {random.In(-1, 1), random.In(-1.5, 1.5)};
  if (random.OneIn(2)) world.last_raw = {random.Anything(), random.Anything()};
  Situation& at = world.situation;
  at.acc_s = random.In(0, 0.05);
  at.dec_s = random.In(0, 0.2);
  at.acc_mps2 = random.OneIn(2) ? random.In(-2, 2) : 0;
  at.degraded = random.OneIn(3);
  at.transition = random.OneIn(3);
  if (random.OneIn(3)) at.derate = random.OneIn(4) ? 0 : random.In(0, 1);
  at.derate_reason = "derate:soc_temp_degC";
  if (!random.OneIn(8)) {
    at.motion = Motion{.pose = {random.In(-0.5, 20.5), random.In(-0.5, 12.5), random.In(-3.2, 3.2)},
                       .vx_mps = random.OneIn(3) ? world.last[0] : random.In(-0.6, 1.2),
                       .wz_radps = random.In(-2, 2),
                       .age = Nanos{static_cast<int64_t>(random.In(0, 2.5e8))}};
  }
  return world;
}

// The nav policy with reverse, a speed zone and sets that hold different things, so that every rule
// is met.
v1::ControlPolicy BusyDocument() {
  v1::ControlPolicy document = NavPolicyDocument();
  v1::Limits& limits = *document.mutable_limits();
  limits.mutable_nominal()->set_vx_min_mps(-0.5);
  limits.mutable_degraded()->set_cmd_vs_measured_mps(0.3);
  limits.mutable_degraded()->add_jerk_max_mps3(5);
  limits.mutable_transition()->set_wz_acc_max_radps2(4);
  v1::EnvelopeZone& zone = *document.add_envelope();
  zone.set_id("dock");
  zone.set_kind("speed");
  zone.set_frame("map");
  zone.mutable_circle_m()->mutable_c()->set_x(3);
  zone.mutable_circle_m()->mutable_c()->set_y(3);
  zone.mutable_circle_m()->set_r(3);
  zone.set_vx_max_mps(0.2);
  return document;
}

v1::ControlPolicy WithoutMap() {
  v1::ControlPolicy document = BusyDocument();
  document.clear_envelope();
  document.clear_requirements();  // they speak of the clearance
  return document;
}

class PolicyPropertyTest : public testing::Test {
 protected:
  static Enforcement Run(const Policy& policy, const Separation& separation, World& world) {
    world.situation.last = world.last;
    world.situation.last_raw = world.last_raw;
    Enforcement result;
    Enforce(policy, separation, world.wanted, world.situation, result);
    return result;
  }
  Enforcement Run(World& world) { return Run(policy_, free_, world); }
  Enforcement RunWithoutMap(World& world) { return Run(bare_, bare_free_, world); }

  const Policy policy_ = Compiled(BusyDocument());
  const Policy bare_ = Compiled(WithoutMap());
  const Separation free_{policy_};
  const Separation bare_free_{bare_};
};

bool IsFinite(const World& world) {
  return std::isfinite(world.wanted[0]) && std::isfinite(world.wanted[1]);
}

TEST_F(PolicyPropertyTest, NeverRaisesAMagnitudeNorTurnsASignAndStandsForWhatIsNoNumber) {
  Random random(1);
  for (int i = 0; i < kInputs; ++i) {
    World world = RandomWorld(random);
    const std::vector<double> values = Run(world).values;
    ASSERT_EQ(values.size(), 2U);
    for (size_t k = 0; k < 2; ++k) {
      ASSERT_TRUE(std::isfinite(values[k])) << i;
      ASSERT_FALSE(values[k] == 0 && std::signbit(values[k])) << i;
      if (!IsFinite(world)) {
        ASSERT_EQ(values[k], 0) << i;
      } else {
        ASSERT_LE(std::abs(values[k]), std::abs(world.wanted[k])) << i;
        ASSERT_GE(values[k] * world.wanted[k], 0) << i;
      }
    }
  }
}

// The limits once more, straight from the numbers of the document, as an upper bound.
TEST_F(PolicyPropertyTest, KeepsEveryLimitOfEverySituation) {
  Random random(2);
  for (int i = 0; i < kInputs; ++i) {
    World world = RandomWorld(random);
    const Situation& at = world.situation;
    const std::vector<double> values = RunWithoutMap(world).values;
    const double speed = std::abs(values[0]);
    const double along = values[0] * world.last[0] > 0 ? std::abs(world.last[0]) : 0;
    const double braked = along - 2.0 * at.dec_s;
    const auto capped = [&](double cap) { return std::max(cap, braked) + kRounding; };

    ASSERT_LE(speed, (values[0] < 0 ? 0.5 : 1.0));
    if (at.degraded || at.transition) {
      ASSERT_LE(speed, capped(0.4)) << i;
    }
    ASSERT_LE(speed, capped((values[0] < 0 ? 0.5 : 1.0) * at.derate)) << i;

    const double acc = at.transition ? 0.6 : 1.2;
    ASSERT_LE(speed, along + acc * at.acc_s + kRounding) << i;
    const double jerk = at.degraded ? 5 : 10;
    const double smooth = std::max(0.0, at.acc_mps2) + jerk * at.acc_s;
    ASSERT_LE(speed, along + smooth * at.acc_s + kRounding) << i;

    const double ahead = at.degraded ? 0.3 : 0.5;
    if (at.motion) {
      const double measured = std::max(0.0, std::copysign(1.0, values[0]) * at.motion->vx_mps);
      ASSERT_LE(speed, measured + ahead + kRounding) << i;
    } else {
      ASSERT_LE(speed, capped(ahead)) << i;
    }
    ASSERT_LE(std::abs(values[1]), 1.5) << i;
    const double turn = values[1] * world.last[1] > 0 ? std::abs(world.last[1]) : 0;
    ASSERT_LE(std::abs(values[1]), turn + (at.transition ? 4.0 : 6.0) * at.acc_s + kRounding) << i;
  }
}

TEST_F(PolicyPropertyTest, IsIdempotent) {
  Random random(3);
  for (int i = 0; i < kInputs; ++i) {
    World world = RandomWorld(random);
    const std::vector<double> once = RunWithoutMap(world).values;
    world.wanted = once;
    ASSERT_EQ(RunWithoutMap(world).values, once) << i;
  }
}

TEST_F(PolicyPropertyTest, IsIdempotentWithTheMap) {
  Random random(4);
  for (int i = 0; i < kInputs; ++i) {
    World world = RandomWorld(random);
    const std::vector<double> once = Run(world).values;
    world.wanted = once;
    const std::vector<double> twice = Run(world).values;
    // A curve recomputed from scaled numbers may differ in its last bits, and the free way with it.
    for (size_t k = 0; k < 2; ++k) ASSERT_NEAR(twice[k], once[k], kEdge) << i;
  }
}

TEST_F(PolicyPropertyTest, WhoAsksForMoreNeverGetsLess) {
  Random random(5);
  for (int i = 0; i < kInputs; ++i) {
    World world = RandomWorld(random);
    world.wanted = {random.In(-1.6, 1.6), 0};
    World more = world;
    more.wanted[0] = world.wanted[0] * random.In(1, 2);
    ASSERT_GE(std::abs(RunWithoutMap(more).values[0]) + kRounding,
              std::abs(RunWithoutMap(world).values[0]))
        << i;
    World turning = world;
    turning.wanted = {0, random.In(-2, 2)};
    World harder = turning;
    harder.wanted[1] = turning.wanted[1] * random.In(1, 2);
    ASSERT_GE(std::abs(RunWithoutMap(harder).values[1]) + kRounding,
              std::abs(RunWithoutMap(turning).values[1]))
        << i;
  }
}

// Makes one thing worse; nothing that was there gets better.
void Worsen(Random& random, World& world) {
  Situation& at = world.situation;
  switch (random.Below(6)) {
    case 0:
      at.degraded = true;
      break;
    case 1:
      at.transition = true;
      break;
    case 2:
      at.derate *= random.In(0, 1);
      break;
    case 3:
      at.acc_s *= random.In(0, 1);
      break;
    case 4:
      at.acc_mps2 -= random.In(0, 2);
      break;
    default:
      // On a straight line a robot measured slower than before is told less, not more.
      if (at.motion) at.motion->vx_mps -= std::copysign(random.In(0, 1), world.wanted[0]);
  }
}

TEST_F(PolicyPropertyTest, AnotherViolationNeverLoosensTheOutput) {
  Random random(6);
  for (int i = 0; i < kInputs; ++i) {
    World world = RandomWorld(random);
    // On a straight line nothing but the speed matters, so magnitudes compare.
    world.wanted = {random.In(-1.6, 1.6), 0};
    World worse = world;
    Worsen(random, worse);
    ASSERT_LE(std::abs(RunWithoutMap(worse).values[0]),
              std::abs(RunWithoutMap(world).values[0]) + kRounding)
        << i;
  }
}

TEST_F(PolicyPropertyTest, AnotherViolationNeverLoosensTheOutputWithTheMap) {
  Random random(7);
  Separation occupied(policy_);
  v1::LaserScan scan;
  for (int i = 0; i < 10; ++i) scan.add_ranges_m(0.8F);
  for (uint64_t i = 1; i <= 3; ++i) occupied.See(scan, i);
  for (int i = 0; i < kInputs; ++i) {
    World world = RandomWorld(random);
    world.wanted = {random.In(-1.6, 1.6), 0};
    const double before = std::abs(Run(world).values[0]);
    ASSERT_LE(std::abs(Run(policy_, occupied, world).values[0]), before + kEdge) << i;
    // A slower measured speed leaves more way to brake, so that is not worse here.
    World worse = world;
    Worsen(random, worse);
    worse.situation.motion = world.situation.motion;
    ASSERT_LE(std::abs(Run(worse).values[0]), before + kEdge) << i;
  }
}

TEST_F(PolicyPropertyTest, ANearerReturnNeverLoosensTheOutput) {
  v1::ControlPolicy document = WithoutMap();
  v1::SpeedAndSeparation& ssm = *document.mutable_separation()->mutable_ssm();
  ssm.set_source("scan");
  ssm.set_v_human_mps(1.6);
  ssm.set_t_react_s(0.2);
  ssm.set_dec_mps2(2);
  ssm.set_c_m(0.1);
  ssm.set_z_sensor_m(0.03);
  ssm.set_z_robot_m(0.05);
  const Policy policy = Compiled(document);
  std::vector<Separation> nearest_last;
  for (int i = 0; i < 64; ++i) {
    v1::LaserScan scan;
    scan.add_ranges_m(5.0F - 0.07F * static_cast<float>(i));
    nearest_last.emplace_back(policy).See(scan, 1);
  }
  Random random(8);
  for (int i = 0; i < kInputs; ++i) {
    World world = RandomWorld(random);
    world.wanted[1] = random.OneIn(2) ? 0 : random.In(-1.5, 1.5);
    const size_t farther = random.Below(nearest_last.size());
    const size_t nearer = farther + random.Below(nearest_last.size() - farther);
    const std::vector<double> far = Run(policy, nearest_last[farther], world).values;
    const std::vector<double> near = Run(policy, nearest_last[nearer], world).values;
    for (size_t k = 0; k < 2; ++k) {
      ASSERT_LE(std::abs(near[k]), std::abs(far[k]) + kRounding) << i;
    }
  }
}

}  // namespace
}  // namespace agent::runtime
