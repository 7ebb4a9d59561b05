#include "gatekeeper/resim/drive_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "gatekeeper/resim/bearing.h"

namespace gatekeeper::resim {
namespace {

constexpr int64_t kStep_ns = 10'000'000;
constexpr int64_t kMostLatency_ns = 500'000'000;
constexpr int64_t kLatencyStep_ns = 20'000'000;
constexpr std::array<double, 7> kTimesTheLimit = {1, 0.5, 0.75, 1.5, 2, 4, 50};
constexpr double kClearlyBetter = 0.9;
constexpr size_t kMostSamples = 1500;
constexpr int64_t kLongestGap_ns =
    1'000'000'000;  // in the odometry; the drive starts anew behind it

double Seconds(int64_t ns) { return static_cast<double>(ns) * 1e-9; }

bool Brakes(double from, double to) { return std::abs(to) < std::abs(from) || from * to < 0; }

double Towards(double from, double to, double up, double down, double dt) {
  const double step = (Brakes(from, to) ? down : up) * dt;
  return from + std::clamp(to - from, -step, step);
}

// Over a time in which the speed changes by `rate` until it is what is wanted: the mean speed.
double MeanSpeed(double from, double to, double rate, double dt) {
  const double changing = rate > 0 ? std::min(std::abs(to - from) / rate, dt) : dt;
  return ((from + to) / 2 * changing + to * (dt - changing)) / dt;
}

// One of the twist's two parts.
struct Axis {
  double TimedTwist::*part;
  double up;
  double down;
};

// Sum of the squares between the measured speed and that of a drive that follows the commands.
double Misfit(const DriveLog& log, const Axis& axis, int64_t latency_ns) {
  double sum = 0;
  const double start =
      log.measured.front().*axis.part;  // commanded before the log, as far as known
  double speed = start;
  size_t next = 0;  // command that has not arrived yet
  const size_t samples = std::min(log.measured.size(), kMostSamples);
  for (size_t i = 1; i < samples; ++i) {
    const double measured = log.measured[i].*axis.part;
    int64_t now_ns = log.measured[i - 1].at_ns;
    const int64_t until_ns = log.measured[i].at_ns;
    const bool gap = until_ns - now_ns > kLongestGap_ns;
    while (now_ns < until_ns) {
      while (next < log.commands.size() && log.commands[next].at_ns + latency_ns <= now_ns) ++next;
      int64_t step_to_ns = until_ns;
      if (next < log.commands.size())
        step_to_ns = std::min(step_to_ns, log.commands[next].at_ns + latency_ns);
      const double wanted = next == 0 ? start : log.commands[next - 1].*axis.part;
      speed = Towards(speed, wanted, axis.up, axis.down, Seconds(step_to_ns - now_ns));
      now_ns = step_to_ns;
    }
    if (gap) {
      speed = measured;
      continue;
    }
    sum += (measured - speed) * (measured - speed);
  }
  return sum;
}

// How much the axis moved: so that metres and radians weigh alike.
double Energy(const DriveLog& log, double TimedTwist::*part) {
  double sum = 0;
  for (size_t i = 0; i < std::min(log.measured.size(), kMostSamples); ++i)
    sum += log.measured[i].*part * log.measured[i].*part;
  return std::max(sum, 1e-6);
}

// The factor on the limit that fits best at this latency; 1 unless another is clearly better.
double BestFactor(const DriveLog& log, const Axis& axis, int64_t latency_ns, bool braking) {
  double best = 1;
  double least = Misfit(log, axis, latency_ns) * kClearlyBetter;
  for (const double factor : kTimesTheLimit) {
    Axis tried = axis;
    (braking ? tried.down : tried.up) *= factor;
    const double misfit = Misfit(log, tried, latency_ns);
    if (misfit < least) {
      least = misfit;
      best = factor;
    }
  }
  return best;
}

}  // namespace

DriveModel FitDrive(const DriveLog& log, const agent::runtime::TwistLimits& limits) {
  DriveModel model{.latency_ns = kAssumedLatency_ns,
                   .acc_mps2 = limits.acc_max_mps2.values.front(),
                   .dec_mps2 = limits.dec_max_mps2.Least(),
                   .wz_acc_radps2 = limits.wz_acc_max_radps2};
  if (log.commands.empty() || log.measured.size() < 3) return model;
  model.measured = true;
  const double vx_energy = Energy(log, &TimedTwist::vx_mps);
  const double wz_energy = Energy(log, &TimedTwist::wz_radps);
  const Axis vx{&TimedTwist::vx_mps, model.acc_mps2, model.dec_mps2};
  const Axis wz{&TimedTwist::wz_radps, model.wz_acc_radps2, model.wz_acc_radps2};
  // At each latency with its own best limits, so that slowness is not taken for lateness.
  double least = std::numeric_limits<double>::infinity();
  DriveModel found = model;
  for (int64_t latency_ns = 0; latency_ns <= kMostLatency_ns; latency_ns += kLatencyStep_ns) {
    Axis fast = vx;
    fast.up *= BestFactor(log, vx, latency_ns, false);
    fast.down *= BestFactor(log, fast, latency_ns, true);
    Axis turn = wz;
    turn.up *= BestFactor(log, wz, latency_ns, false);
    turn.down = turn.up;
    const double misfit =
        Misfit(log, fast, latency_ns) / vx_energy + Misfit(log, turn, latency_ns) / wz_energy;
    if (misfit >= least) continue;
    least = misfit;
    found.latency_ns = latency_ns;
    found.acc_mps2 = fast.up;
    found.dec_mps2 = fast.down;
    found.wz_acc_radps2 = turn.up;
  }
  return found;
}

void Drive::DriveTo(int64_t until_ns) {
  while (now_ns_ < until_ns) {
    while (!on_the_way_.empty() && on_the_way_.front().at_ns + model_.latency_ns <= now_ns_) {
      wanted_ = on_the_way_.front();
      on_the_way_.pop_front();
    }
    int64_t step_ns = std::min(kStep_ns, until_ns - now_ns_);
    if (!on_the_way_.empty())
      step_ns = std::min(step_ns, on_the_way_.front().at_ns + model_.latency_ns - now_ns_);
    const double dt = Seconds(step_ns);
    const double vx = Towards(vx_mps_, wanted_.vx_mps, model_.acc_mps2, model_.dec_mps2, dt);
    const double wz =
        Towards(wz_radps_, wanted_.wz_radps, model_.wz_acc_radps2, model_.wz_acc_radps2, dt);
    const double rate = Brakes(vx_mps_, wanted_.vx_mps) ? model_.dec_mps2 : model_.acc_mps2;
    pose_ = agent::runtime::Moved(pose_, MeanSpeed(vx_mps_, vx, rate, dt) * dt,
                                  MeanSpeed(wz_radps_, wz, model_.wz_acc_radps2, dt) * dt);
    pose_.yaw_rad = WrappedRad(pose_.yaw_rad);
    vx_mps_ = vx;
    wz_radps_ = wz;
    now_ns_ += step_ns;
  }
}

}  // namespace gatekeeper::resim
