#include <gmock/gmock.h>

#include "agent/health/record.h"
#include "agent/health/sampler.h"
#include "tests/support/fake_sysfs.h"

namespace agent::health {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class HeatTest : public testing::Test {
 protected:
  void AddCooling(int number, const std::string& type, int state) {
    const std::string device = "class/thermal/cooling_device" + std::to_string(number);
    sysfs_.Set(device + "/type", type);
    sysfs_.Set(device + "/cur_state", state);
    sysfs_.Set(device + "/max_state", 10);
  }
  // Two packages of two processors each.
  void AddThrottleCounters() {
    for (int cpu = 0; cpu < 4; ++cpu) {
      const std::string folder = "devices/system/cpu/cpu" + std::to_string(cpu);
      sysfs_.Set(folder + "/topology/physical_package_id", cpu / 2);
      sysfs_.Set(folder + "/thermal_throttle/core_throttle_count", 100 + cpu);
      sysfs_.Set(folder + "/thermal_throttle/package_throttle_count", 1000 + cpu / 2);
    }
  }
  void Throttle(int cpu, const char* what, int64_t count) {
    sysfs_.Set("devices/system/cpu/cpu" + std::to_string(cpu) + "/thermal_throttle/" + what, count);
  }
  HealthSample At(Nanos now) { return sampler_->Sample(now); }
  void Look() { sampler_.emplace(sysfs_.root()); }

  tests::FakeSysfs sysfs_;
  std::optional<Sampler> sampler_;
};

TEST_F(HeatTest, TheHottestZoneIsNamedAndAsleepOnesAreSkippedAndCounted) {
  sysfs_.AddZone(0, "cpu-thermal", 61'500);
  sysfs_.AddZone(1, "gpu-thermal", 70'250);
  sysfs_.AddZone(2, "cv0-thermal", 0);
  sysfs_.Silence("class/thermal/thermal_zone2/temp");
  sysfs_.AddZone(3, "acpitz", -273'200);  // what a driver gives for a block without power
  sysfs_.AddZone(10, "tj-thermal", 66'000);
  Look();
  const HealthSample sample = At(seconds(0));
  EXPECT_DOUBLE_EQ(sample.soc_temp_degc.value, 70.25);
  EXPECT_EQ(sample.hottest_zone.view(), "gpu-thermal");
  EXPECT_EQ(sample.zones_read, 3U);
  EXPECT_EQ(sample.zones_skipped, 2U);
  EXPECT_EQ(ToRecord(sample, 0).hottest_zone(), "gpu-thermal");
}

TEST_F(HeatTest, AFrozenRobotIsNotAbsent) {
  sysfs_.AddZone(0, "cpu-thermal", -12'000);
  Look();
  EXPECT_DOUBLE_EQ(At(seconds(0)).soc_temp_degc.value, -12.0);
}

TEST_F(HeatTest, ZonesThatAllVanishAreUnreadableAndNotZero) {
  sysfs_.AddZone(0, "cpu-thermal", 50'000);
  Look();
  EXPECT_TRUE(At(seconds(0)).soc_temp_degc.available());
  sysfs_.Silence("class/thermal/thermal_zone0/temp");
  const HealthSample gone = At(milliseconds(100));
  EXPECT_EQ(gone.soc_temp_degc.state, State::kUnreadable);
  EXPECT_TRUE(std::isnan(gone.soc_temp_degc.value));
  EXPECT_EQ(gone.zones_skipped, 1U);
  EXPECT_THAT(Describe(gone), HasSubstr("; thermal_zone: unreadable"));
}

TEST_F(HeatTest, AZoneThatComesBackUnderAnotherFileIsFoundAgain) {
  sysfs_.AddZone(0, "cpu-thermal", 50'000);
  Look();
  At(seconds(0));
  sysfs_.Silence("class/thermal/thermal_zone0/temp");
  At(seconds(1));
  std::filesystem::remove_all(sysfs_.root() + "/class/thermal/thermal_zone0");
  sysfs_.AddZone(7, "cpu-thermal", 55'000);
  EXPECT_EQ(At(seconds(29)).soc_temp_degc.state, State::kUnreadable);
  EXPECT_DOUBLE_EQ(At(seconds(30)).soc_temp_degc.value, 55.0);
}

TEST_F(HeatTest, TheMarginIsToTheNearestPassiveTripOfAnyZone) {
  sysfs_.AddZone(0, "cpu-thermal", 80'000);
  sysfs_.Set("class/thermal/thermal_zone0/trip_point_0_type", "critical");
  sysfs_.Set("class/thermal/thermal_zone0/trip_point_0_temp", 82'000);
  sysfs_.Set("class/thermal/thermal_zone0/trip_point_1_type", "passive");
  sysfs_.Set("class/thermal/thermal_zone0/trip_point_1_temp", 99'000);
  sysfs_.AddZone(1, "soc-thermal", 70'000);
  sysfs_.Set("class/thermal/thermal_zone1/trip_point_0_type", "passive");
  sysfs_.Set("class/thermal/thermal_zone1/trip_point_0_temp", 74'500);
  Look();
  EXPECT_DOUBLE_EQ(At(seconds(0)).passive_margin_degc.value, 4.5);
  sysfs_.Set("class/thermal/thermal_zone1/temp", 75'000);
  EXPECT_DOUBLE_EQ(At(milliseconds(100)).passive_margin_degc.value, -0.5);
}

TEST_F(HeatTest, AFanThatRunsIsNoThrottling) {
  AddCooling(0, "pwm-fan", 4);
  AddCooling(1, "Fan", 10);
  Look();
  const HealthSample fans = At(seconds(0));
  EXPECT_EQ(fans.cooling_devices.state, State::kNotAvailable);
  EXPECT_EQ(fans.throttled.state, State::kNotAvailable);
}

TEST_F(HeatTest, ProcessorsClocksAndDevicesInUseAre) {
  AddCooling(0, "pwm-fan", 4);
  AddCooling(1, "Processor", 0);
  AddCooling(2, "cpufreq-cpu0", 0);
  AddCooling(3, "devfreq-17000000.gpu", 0);
  Look();
  EXPECT_DOUBLE_EQ(At(seconds(0)).throttled.value, 0);
  EXPECT_DOUBLE_EQ(At(milliseconds(100)).cooling_devices.value, 0);
  for (int device = 1; device <= 3; ++device) {
    AddCooling(device,
               device == 1   ? "Processor"
               : device == 2 ? "cpufreq-cpu0"
                             : "devfreq-17000000.gpu",
               1);
    const HealthSample sample = At(milliseconds(100 + 100 * device));
    EXPECT_DOUBLE_EQ(sample.cooling_devices.value, device);
    EXPECT_DOUBLE_EQ(sample.throttled.value, 1);
    EXPECT_NEAR(sample.throttled_s, 0.1 * device, 1e-12);
  }
}

TEST_F(HeatTest, IntelsCountersCountFromTheFirstLookAndAPackageOnce) {
  AddThrottleCounters();
  Look();
  const HealthSample first = At(seconds(0));
  EXPECT_DOUBLE_EQ(first.throttle_events.value, 0);
  EXPECT_DOUBLE_EQ(first.throttled.value, 0);

  Throttle(1, "core_throttle_count", 106);
  for (const int cpu : {2, 3}) Throttle(cpu, "package_throttle_count", 1008);  // both repeat it
  const HealthSample hot = At(milliseconds(100));
  EXPECT_DOUBLE_EQ(hot.throttle_events.value, 5 + 7);
  EXPECT_DOUBLE_EQ(hot.throttled.value, 1);

  const HealthSample quiet = At(milliseconds(200));
  EXPECT_DOUBLE_EQ(quiet.throttle_events.value, 12);
  EXPECT_DOUBLE_EQ(quiet.throttled.value, 0);
  EXPECT_DOUBLE_EQ(quiet.throttled_s, 0.1);
}

TEST_F(HeatTest, ACounterThatFallsWasReset) {
  AddThrottleCounters();
  Look();
  At(seconds(0));
  Throttle(0, "core_throttle_count", 3);
  EXPECT_DOUBLE_EQ(At(milliseconds(100)).throttle_events.value, 0);
  Throttle(0, "core_throttle_count", 5);
  EXPECT_DOUBLE_EQ(At(milliseconds(200)).throttle_events.value, 2);
}

TEST_F(HeatTest, ALowClockIsIdleAndALoweredCapIsThrottling) {
  const std::string policy = "devices/system/cpu/cpufreq/policy0";
  sysfs_.Set(policy + "/cpuinfo_max_freq", 2'000'000);
  sysfs_.Set(policy + "/scaling_max_freq", 2'000'000);
  sysfs_.Set(policy + "/scaling_cur_freq", 400'000);
  sysfs_.Set("devices/system/cpu/cpufreq/policy4/cpuinfo_max_freq", 1'000'000);
  sysfs_.Set("devices/system/cpu/cpufreq/policy4/scaling_max_freq", 1'000'000);
  Look();
  EXPECT_DOUBLE_EQ(At(seconds(0)).cpu_cap.value, 1);
  EXPECT_DOUBLE_EQ(At(milliseconds(100)).throttled.value, 0);
  sysfs_.Set(policy + "/scaling_max_freq", 1'500'000);
  const HealthSample capped = At(milliseconds(200));
  EXPECT_DOUBLE_EQ(capped.cpu_cap.value, 0.75);
  EXPECT_DOUBLE_EQ(capped.throttled.value, 1);
}

TEST_F(HeatTest, ADevicesCapIsHeldAgainstWhatItCouldDo) {
  sysfs_.Set("class/devfreq/17000000.gpu/available_frequencies", "306000000 612000000 1224000000");
  sysfs_.Set("class/devfreq/17000000.gpu/max_freq", 612'000'000);
  sysfs_.Set("class/devfreq/other/max_freq", 100);
  Look();
  EXPECT_DOUBLE_EQ(At(seconds(0)).devfreq_cap.value, 0.5);
  sysfs_.Set("class/devfreq/17000000.gpu/max_freq", 1'224'000'000);
  EXPECT_DOUBLE_EQ(At(milliseconds(100)).devfreq_cap.value, 1);
  sysfs_.Set("class/devfreq/other/max_freq", 25);
  EXPECT_DOUBLE_EQ(At(milliseconds(200)).devfreq_cap.value, 0.25);
}

TEST_F(HeatTest, AJetsonsOverCurrentAlarmsCountFromTheFirstLook) {
  sysfs_.Set("class/hwmon/hwmon5/name", "soctherm_oc");
  for (const char* n : {"1", "2", "3"}) {
    sysfs_.Set(std::string("class/hwmon/hwmon5/oc") + n + "_event_cnt", 40);
  }
  Look();
  EXPECT_DOUBLE_EQ(At(seconds(0)).over_current_events.value, 0);
  sysfs_.Set("class/hwmon/hwmon5/oc3_event_cnt", 43);
  const HealthSample sample = At(milliseconds(100));
  EXPECT_DOUBLE_EQ(sample.over_current_events.value, 3);
  EXPECT_DOUBLE_EQ(sample.throttled.value, 1);
  EXPECT_EQ(ToRecord(sample, 12).wall_ms(), 12);
}

}  // namespace
}  // namespace agent::health
