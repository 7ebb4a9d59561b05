#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/health/record.h"
#include "agent/health/sampler.h"
#include "tests/support/fake_sysfs.h"

namespace agent::health {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
namespace v1 = ::gatekeeper::v1;

constexpr char kEnergy0[] = "class/powercap/intel-rapl:0/energy_uj";
constexpr int64_t kRange = 262'143'328'850;

class PowerTest : public testing::Test {
 protected:
  // Three rails of a Jetson Orin Nano, with what else the driver shows and what is no rail.
  void AddOrin(const std::string& device = "class/hwmon/hwmon1") {
    sysfs_.Set(device + "/name", "ina3221");
    const char* labels[] = {"VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"};
    for (int i = 1; i <= 3; ++i) {
      const std::string n = std::to_string(i);
      sysfs_.Set(device + "/in" + n + "_label", labels[i - 1]);
      sysfs_.Set(device + "/in" + n + "_enable", 1);
      sysfs_.Set(device + "/in" + n + "_input", 5000);
      sysfs_.Set(device + "/curr" + n + "_input", 1000 * i);
      sysfs_.Set(device + "/in" + std::to_string(i + 3) + "_input", 99'999);
    }
    sysfs_.Set(device + "/in7_label", "sum of shunt voltages");
    sysfs_.Set(device + "/in7_input", 299'997);
    sysfs_.Set(device + "/curr4_input", 6000);
  }
  HealthSample At(Nanos now) { return sampler_->Sample(now); }
  void Look() { sampler_.emplace(sysfs_.root()); }

  tests::FakeSysfs sysfs_;
  std::optional<Sampler> sampler_;
};

TEST_F(PowerTest, AnEmptyTreeHasNoValueAnywhere) {
  Look();
  for (const int s : {0, 1, 40}) {
    const HealthSample sample = At(seconds(s));
    for (const Reading* reading :
         {&sample.power_w, &sample.energy_j, &sample.peak_power_w, &sample.supply_v,
          &sample.soc_temp_degc, &sample.passive_margin_degc, &sample.throttled,
          &sample.cooling_devices, &sample.cpu_cap, &sample.devfreq_cap, &sample.throttle_events,
          &sample.over_current_events}) {
      EXPECT_EQ(reading->state, State::kNotAvailable);
      EXPECT_TRUE(std::isnan(reading->value));
    }
    const v1::HealthSample record = ToRecord(sample, 7);
    EXPECT_EQ(record.power_w().state(), v1::HEALTH_NOT_AVAILABLE);
    EXPECT_FALSE(record.power_w().has_value());
    EXPECT_EQ(record.power_source(), "");
    EXPECT_EQ(record.sources_size(), 10);
    EXPECT_EQ(record.gaps(), 0U);
  }
  EXPECT_EQ(Describe(At(seconds(41))), "neither power nor heat nor throttling can be read");
}

TEST_F(PowerTest, RaplCountsItsPackagesAndNotTheirPartsAndWraps) {
  sysfs_.AddPackage(0, kRange - 2'000'000, kRange);
  sysfs_.AddPackage(1, 1'000'000, kRange);
  sysfs_.Set("class/powercap/intel-rapl:0:0/name", "core");
  sysfs_.Set("class/powercap/intel-rapl:0:0/energy_uj", 0);
  sysfs_.Set("class/powercap/intel-rapl/enabled", 1);
  Look();
  EXPECT_EQ(At(seconds(0)).power_w.state, State::kPending);

  sysfs_.Set("class/powercap/intel-rapl:0:0/energy_uj", 50'000'000);
  sysfs_.Set(kEnergy0, 500'000);  // over the end: 2.5 J
  sysfs_.Set("class/powercap/intel-rapl:1/energy_uj", 2'500'000);
  const HealthSample sample = At(milliseconds(500));
  EXPECT_DOUBLE_EQ(sample.power_w.value, 8.0);  // 2.5 J + 1.5 J in half a second
  EXPECT_DOUBLE_EQ(sample.energy_j.value, 4.0);
  EXPECT_DOUBLE_EQ(sample.covered_s, 0.5);
  EXPECT_EQ(sample.peak_power_w.state, State::kPending);
  EXPECT_EQ(ToRecord(sample, 0).power_source(), "rapl");
}

TEST_F(PowerTest, RaplsPlatformReplacesThePackagesInIt) {
  sysfs_.AddPackage(0, 0, kRange);
  sysfs_.Set("class/powercap/intel-rapl:1/name", "psys");
  sysfs_.Set("class/powercap/intel-rapl:1/energy_uj", 0);
  sysfs_.Set("class/powercap/intel-rapl:1/max_energy_range_uj", kRange);
  Look();
  At(seconds(0));
  sysfs_.Set(kEnergy0, 10'000'000);
  sysfs_.Set("class/powercap/intel-rapl:1/energy_uj", 30'000'000);
  EXPECT_DOUBLE_EQ(At(seconds(1)).power_w.value, 30.0);
}

TEST_F(PowerTest, ACounterThatFellWithoutAKnownRangeCountsAfresh) {
  sysfs_.Set("class/powercap/intel-rapl:0/name", "package-0");
  sysfs_.Set(kEnergy0, 9'000'000);
  Look();
  At(seconds(0));
  sysfs_.Set(kEnergy0, 1'000'000);
  EXPECT_EQ(At(milliseconds(500)).power_w.state, State::kPending);
  sysfs_.Set(kEnergy0, 2'000'000);
  const HealthSample sample = At(seconds(1));
  EXPECT_DOUBLE_EQ(sample.power_w.value, 2.0);
  EXPECT_DOUBLE_EQ(sample.energy_j.value, 1.0);
}

TEST_F(PowerTest, ARaplThatOnlyRootMayReadSaysSo) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to see what others may not";
  sysfs_.AddPackage(0, 0, kRange);
  ASSERT_EQ(chmod(sysfs_.root().c_str(), 0755), 0);
  ASSERT_EQ(chmod((sysfs_.root() + "/" + kEnergy0).c_str(), 0400), 0);
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(seteuid(kNobody), 0);
  Look();
  const HealthSample sample = At(seconds(0));
  ASSERT_EQ(seteuid(0), 0);

  EXPECT_EQ(sample.power_w.state, State::kNoPermission);
  EXPECT_EQ(sample.source(Source::kRapl), State::kNoPermission);
  EXPECT_EQ(ToRecord(sample, 0).power_w().state(), v1::HEALTH_NO_PERMISSION);
  EXPECT_THAT(Describe(sample), HasSubstr("; rapl: no permission"));
}

TEST_F(PowerTest, AnOrinsInputStandsForAllItsRails) {
  AddOrin();
  sysfs_.AddPackage(0, 0, kRange);  // the board's own sensor is nearer to the whole
  Look();
  const HealthSample first = At(seconds(0));
  EXPECT_DOUBLE_EQ(first.power_w.value, 5.0);
  EXPECT_DOUBLE_EQ(first.supply_v.value, 5.0);
  EXPECT_EQ(first.energy_j.state, State::kPending);
  sysfs_.Set("class/hwmon/hwmon1/curr1_input", 2000);
  const HealthSample second = At(milliseconds(200));
  EXPECT_DOUBLE_EQ(second.power_w.value, 10.0);
  EXPECT_DOUBLE_EQ(second.energy_j.value, 1.5);  // (5 W + 10 W) / 2 over 0.2 s
  EXPECT_EQ(ToRecord(second, 0).power_source(), "ina3221");
}

TEST_F(PowerTest, ABoardWithoutAnInputRailIsTheSumOfItsEnabledOnes) {
  AddOrin("class/hwmon/hwmon3");
  sysfs_.Set("class/hwmon/hwmon3/in1_label", "VDD_GPU_SOC");
  sysfs_.Set("class/hwmon/hwmon3/in3_enable", 0);
  Look();
  EXPECT_DOUBLE_EQ(At(seconds(0)).power_w.value, 15.0);
  EXPECT_EQ(At(milliseconds(100)).supply_v.state, State::kNotAvailable);

  sysfs_.Silence("class/hwmon/hwmon3/curr2_input");
  EXPECT_EQ(At(milliseconds(200)).power_w.state, State::kUnreadable)
      << "a sum without one rail would be too small";
}

TEST_F(PowerTest, OfOtherPowerSensorsTheLargestCounts) {
  sysfs_.Set("class/hwmon/hwmon0/name", "ina226");
  sysfs_.Set("class/hwmon/hwmon0/power1_input", 7'250'000);
  sysfs_.Set("class/hwmon/hwmon4/name", "amdgpu");
  sysfs_.Set("class/hwmon/hwmon4/power1_input", 3'000'000);
  Look();
  EXPECT_DOUBLE_EQ(At(seconds(0)).power_w.value, 7.25);
  sysfs_.Silence("class/hwmon/hwmon0/power1_input");
  EXPECT_DOUBLE_EQ(At(milliseconds(100)).power_w.value, 3.0);
}

TEST_F(PowerTest, ABatteryCountsByMagnitudeAndOnlyWhileItDischarges) {
  sysfs_.Set("class/power_supply/AC/type", "Mains");
  sysfs_.Set("class/power_supply/AC/voltage_now", 28'000'000);
  sysfs_.Set("class/power_supply/BAT0/type", "Battery");
  sysfs_.Set("class/power_supply/BAT0/status", "Discharging");
  sysfs_.Set("class/power_supply/BAT0/voltage_now", 24'500'000);
  sysfs_.Set("class/power_supply/BAT0/current_now", -2'000'000);
  Look();
  const HealthSample sample = At(seconds(0));
  EXPECT_DOUBLE_EQ(sample.supply_v.value, 24.5);
  EXPECT_DOUBLE_EQ(sample.power_w.value, 49.0);
  EXPECT_EQ(ToRecord(sample, 0).power_source(), "power_supply");

  sysfs_.Set("class/power_supply/BAT0/status", "Charging");
  const HealthSample charging = At(milliseconds(100));
  EXPECT_EQ(charging.power_w.state, State::kNotAvailable);
  EXPECT_DOUBLE_EQ(charging.supply_v.value, 24.5);
}

TEST_F(PowerTest, APauseOfMoreThanASecondBreaksTheIntegralAndIsCounted) {
  AddOrin();
  Look();
  At(seconds(0));
  At(seconds(1));  // just no pause
  const HealthSample before = At(seconds(1) + milliseconds(100));
  EXPECT_DOUBLE_EQ(before.energy_j.value, 5.5);
  EXPECT_EQ(before.gaps, 0U);

  const HealthSample after = At(seconds(3));
  EXPECT_DOUBLE_EQ(after.energy_j.value, 5.5);
  EXPECT_DOUBLE_EQ(after.covered_s, 1.1);
  EXPECT_EQ(after.gaps, 1U);
  EXPECT_DOUBLE_EQ(after.missed_s, 1.9);
  EXPECT_DOUBLE_EQ(At(seconds(3) + milliseconds(100)).energy_j.value, 6.0);
}

TEST_F(PowerTest, ASensorThatFallsSilentIsUnreadableAndItsSilenceIsCounted) {
  AddOrin();
  Look();
  At(seconds(0));
  At(milliseconds(100));
  sysfs_.Silence("class/hwmon/hwmon1/in1_input");
  const HealthSample silent = At(milliseconds(200));
  EXPECT_EQ(silent.power_w.state, State::kUnreadable);
  EXPECT_TRUE(std::isnan(silent.power_w.value));
  EXPECT_DOUBLE_EQ(silent.energy_j.value, 0.5);
  sysfs_.Set("class/hwmon/hwmon1/in1_input", 5000);
  const HealthSample back = At(milliseconds(300));
  EXPECT_DOUBLE_EQ(back.power_w.value, 5.0);
  EXPECT_DOUBLE_EQ(back.energy_j.value, 0.5);
  EXPECT_EQ(back.gaps, 1U);
  EXPECT_DOUBLE_EQ(back.missed_s, 0.2);
}

TEST_F(PowerTest, ThePeakIsTheHighestMeanOverOneSecond) {
  AddOrin();
  Look();
  HealthSample sample;
  // 5 W, and 15 W from 2.0 s to 2.5 s: the highest second holds 10 W-seconds and the two edges.
  for (int tenth = 0; tenth <= 50; ++tenth) {
    sysfs_.Set("class/hwmon/hwmon1/curr1_input", tenth >= 20 && tenth <= 25 ? 3000 : 1000);
    sample = At(milliseconds(100 * tenth));
    EXPECT_EQ(sample.peak_power_w.state, tenth < 10 ? State::kPending : State::kAvailable);
    if (tenth >= 10 && tenth < 20) {
      EXPECT_DOUBLE_EQ(sample.peak_power_w.value, 5.0);
    }
  }
  // 0.4 s of 5 W, 0.1 s rising to 15 W, 0.5 s of 15 W, or the falling edge in place of the first:
  // 0.3 x 5 + 0.1 x 10 + 0.5 x 15 + 0.1 x 10 J in one second.
  EXPECT_NEAR(sample.peak_power_w.value, 11.0, 1e-9);
}

TEST_F(PowerTest, ADriverThatIsLoadedLaterIsFoundWithinHalfAMinute) {
  Look();
  EXPECT_EQ(At(seconds(0)).power_w.state, State::kNotAvailable);
  AddOrin();
  EXPECT_EQ(At(seconds(29)).power_w.state, State::kNotAvailable);
  EXPECT_DOUBLE_EQ(At(seconds(30)).power_w.value, 5.0);
}

TEST_F(PowerTest, NonsenseInAFileIsUnreadable) {
  sysfs_.AddPackage(0, 0, kRange);
  Look();
  for (const char* text : {"", "watts", "12 13", "0x10", "99999999999999999999", "1.5"}) {
    sysfs_.Set(kEnergy0, text);
    EXPECT_EQ(At(seconds(1)).power_w.state, State::kUnreadable) << text;
  }
}

}  // namespace
}  // namespace agent::health
