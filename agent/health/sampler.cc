#include "agent/health/sampler.h"

#include <initializer_list>
#include <utility>

namespace agent::health {
namespace {

constexpr Nanos kLookAgainAfter = std::chrono::seconds(30);

// By how much a counter rose between two samples; 0 where either is missing.
double Rise(const Reading& now, const Reading& before) {
  return now.available() && before.available() ? now.value - before.value : 0;
}

}  // namespace

Sampler::Sampler(std::string sysfs_root)
    : root_(std::move(sysfs_root)),
      rapl_(root_),
      ina3221_(root_),
      hwmon_power_(root_),
      power_supply_(root_),
      zones_(root_),
      cooling_(root_),
      thermal_throttle_(ThermalThrottle(root_)),
      over_current_(SocthermOverCurrent(root_)),
      cpufreq_(ClockCaps::Cpufreq(root_)),
      devfreq_(ClockCaps::Devfreq(root_)) {}

HealthSample Sampler::Sample(Nanos now) {
  LookAgain(now);
  HealthSample sample;
  sample.at = now;
  SamplePower(sample);
  SampleHeat(sample);
  SampleThrottling(sample);
  last_ = sample;
  sampled_ = true;
  return sample;
}

void Sampler::LookAgain(Nanos now) {
  if (!sampled_) looked_ = now;
  if (now - looked_ < kLookAgainAfter) return;
  looked_ = now;
  const auto missing = [this](Source source) {
    return last_.source(source) != State::kAvailable && last_.source(source) != State::kPending;
  };
  if (missing(Source::kRapl)) rapl_ = Rapl(root_);
  if (missing(Source::kIna3221)) ina3221_ = Ina3221(root_);
  if (missing(Source::kHwmonPower)) hwmon_power_ = HwmonPower(root_);
  if (missing(Source::kPowerSupply)) power_supply_ = PowerSupply(root_);
  if (missing(Source::kThermalZone)) zones_ = ThermalZones(root_);
  if (missing(Source::kCoolingDevice)) cooling_ = CoolingDevices(root_);
  if (missing(Source::kThermalThrottle)) thermal_throttle_ = ThermalThrottle(root_);
  if (missing(Source::kSocthermOc)) over_current_ = SocthermOverCurrent(root_);
  if (missing(Source::kCpufreq)) cpufreq_ = ClockCaps::Cpufreq(root_);
  if (missing(Source::kDevfreq)) devfreq_ = ClockCaps::Devfreq(root_);
}

// The first source that is there, the one nearest to the whole board first.
void Sampler::SamplePower(HealthSample& sample) {
  const Reading board = ina3221_.Watts();
  const Rapl::Energy packages = rapl_.Read();
  const Reading hwmon = hwmon_power_.Watts();
  const Reading battery = power_supply_.Watts();
  const Reading battery_v = power_supply_.SupplyV();
  sample.source(Source::kIna3221) = board.state;
  sample.source(Source::kRapl) = packages.state;
  sample.source(Source::kHwmonPower) = hwmon.state;
  sample.source(Source::kPowerSupply) = Better(battery.state, battery_v.state);
  sample.supply_v = battery_v.available() ? battery_v : ina3221_.SupplyV();
  if (!sample.supply_v.available()) {
    sample.supply_v.state = Better(battery_v.state, sample.supply_v.state);
  }

  const auto take_watts = [&](Source source, const Reading& watts) {
    energy_.AddWatts(source, watts.value, sample.at);
    sample.power_source = source;
    sample.power_w = watts;
  };
  if (board.available()) {
    take_watts(Source::kIna3221, board);
  } else if (packages.state == State::kAvailable) {
    sample.power_w = energy_.AddJoules(Source::kRapl, packages.joules, sample.at);
    sample.power_source = Source::kRapl;
  } else if (packages.state == State::kPending) {
    energy_.Begin(Source::kRapl, sample.at);
    sample.power_w = Absent(State::kPending);
  } else if (hwmon.available()) {
    take_watts(Source::kHwmonPower, hwmon);
  } else if (battery.available()) {
    take_watts(Source::kPowerSupply, battery);
  } else {
    energy_.Break();
    sample.power_w =
        Absent(Better(Better(board.state, packages.state), Better(hwmon.state, battery.state)));
  }
  sample.covered_s = energy_.covered_s();
  sample.gaps = energy_.gaps();
  sample.missed_s = energy_.missed_s();
  const bool any = sample.covered_s > 0;
  sample.energy_j = any ? Available(energy_.joules()) : Absent(sample.power_w.state);
  if (sample.energy_j.state == State::kAvailable && !any) sample.energy_j.state = State::kPending;
  sample.peak_power_w = any ? energy_.peak_watts() : Absent(sample.energy_j.state);
}

void Sampler::SampleHeat(HealthSample& sample) {
  const ThermalZones::Heat heat = zones_.Read();
  sample.source(Source::kThermalZone) = heat.hottest_degc.state;
  sample.soc_temp_degc = heat.hottest_degc;
  sample.hottest_zone = heat.zone;
  sample.passive_margin_degc = heat.passive_margin_degc;
  sample.zones_read = heat.read;
  sample.zones_skipped = heat.skipped;
}

void Sampler::SampleThrottling(HealthSample& sample) {
  sample.cooling_devices = cooling_.InUse();
  sample.throttle_events = thermal_throttle_.Grown();
  sample.over_current_events = over_current_.Grown();
  sample.cpu_cap = cpufreq_.Lowest();
  sample.devfreq_cap = devfreq_.Lowest();
  sample.source(Source::kCoolingDevice) = sample.cooling_devices.state;
  sample.source(Source::kThermalThrottle) = sample.throttle_events.state;
  sample.source(Source::kSocthermOc) = sample.over_current_events.state;
  sample.source(Source::kCpufreq) = sample.cpu_cap.state;
  sample.source(Source::kDevfreq) = sample.devfreq_cap.state;

  State state = State::kNotAvailable;
  for (const Source source : {Source::kCoolingDevice, Source::kThermalThrottle, Source::kSocthermOc,
                              Source::kCpufreq, Source::kDevfreq}) {
    state = Better(state, sample.source(source));
  }
  sample.throttled_s = last_.throttled_s;
  if (state != State::kAvailable) {
    sample.throttled = Absent(state);
    return;
  }
  // A comparison with NaN, which absent readings hold, is false.
  const bool throttled = sample.cooling_devices.value > 0 || sample.cpu_cap.value < 1 ||
                         sample.devfreq_cap.value < 1 ||
                         Rise(sample.throttle_events, last_.throttle_events) > 0 ||
                         Rise(sample.over_current_events, last_.over_current_events) > 0;
  sample.throttled = Available(throttled ? 1 : 0);
  const Nanos passed = sample.at - last_.at;
  if (throttled && sampled_ && passed <= kLongestPause) {
    sample.throttled_s += static_cast<double>(passed.count()) * 1e-9;
  }
}

}  // namespace agent::health
