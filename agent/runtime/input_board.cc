#include "agent/runtime/input_board.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <limits>

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

// Clocks of robots drift by less than this share of the time that passes (1000 ppm).
constexpr int64_t kDriftOneIn = 1000;
// A stamp this far back is not a late message but a sender whose clock was set: estimate afresh.
constexpr int64_t kClockSetNs = 1'000'000'000;
// The year 2096; keeps sums of times far from overflow whatever a sender claims.
constexpr int64_t kLargestStampNs = 4'000'000'000'000'000'000;

bool AllFinite(std::initializer_list<double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

bool Sound(const v1::LaserScan& scan) {
  return AllFinite({scan.angle_min_rad(), scan.angle_increment_rad()}) && scan.ranges_m_size() > 0;
}
bool Sound(const v1::Odometry& odom) {
  return AllFinite({odom.x_m(), odom.y_m(), odom.yaw_rad(), odom.vx_mps(), odom.wz_radps()});
}
bool Sound(const v1::Image& image) {
  const std::string_view encoding = image.encoding();
  const bool rgb = encoding == "rgb8";
  if (!rgb && encoding != "mono8") return false;
  return image.width() > 0 && image.height() > 0 &&
         image.data().size() == uint64_t{image.width()} * image.height() * (rgb ? 3 : 1);
}
bool Sound(const v1::Imu& imu) {
  return AllFinite({imu.ax_mps2(), imu.ay_mps2(), imu.az_mps2(), imu.gx_radps(), imu.gy_radps(),
                    imu.gz_radps()});
}
bool Sound(const v1::JointState& joints) {
  const auto finite = [](double v) { return std::isfinite(v); };
  return joints.q_rad_size() > 0 &&
         std::all_of(joints.q_rad().begin(), joints.q_rad().end(), finite) &&
         std::all_of(joints.qd_radps().begin(), joints.qd_radps().end(), finite);
}

}  // namespace

bool ChannelRecord::Note(int64_t stamp, Nanos now, bool sound) {
  if (!sound) {
    ++drops.invalid;
    return false;
  }
  if (stamp <= 0 || stamp > kLargestStampNs) {
    ++drops.unstamped;
    return false;
  }
  const Nanos delay = now - Nanos{stamp};
  if (highest_ns_ == 0) Estimate(stamp, delay, now);
  if (stamp < highest_ns_) {
    NoteFall(stamp, delay, now);
    return false;
  }
  const Nanos relaxed = least_delay_ + std::max(Nanos{0}, now - least_delay_at_) / kDriftOneIn;
  ahead = relaxed - delay;
  least_delay_ = std::min(relaxed, delay);
  least_delay_at_ = now;
  // A stamp that stands has its own patience; only a new one tells how long its message travelled.
  if (stamp > highest_ns_ || !seen) {
    advanced = now;
    late_by_ = delay - least_delay_;
  }
  highest_ns_ = stamp;
  fallen_ns_ = 0;
  seen = true;
  ++messages;
  received = now;
  sent = now - late_by_;
  stamp_ns = stamp;
  return true;
}

void ChannelRecord::NoteFall(int64_t stamp, Nanos delay, Nanos now) {
  // One message a little behind was overtaken by another. Two that rise again, or one far behind,
  // say that a clock was set back, has wrapped, or had wrongly been ahead.
  const bool clock_set =
      highest_ns_ - stamp > kClockSetNs || (fallen_ns_ != 0 && stamp > fallen_ns_);
  fallen_ns_ = stamp;
  if (!clock_set) {
    ++drops.out_of_order;
    return;
  }
  ++drops.backward;
  Estimate(stamp, delay, now);
}

void ChannelRecord::Estimate(int64_t stamp, Nanos delay, Nanos now) {
  highest_ns_ = stamp;
  least_delay_ = delay;
  least_delay_at_ = now;
  ahead = Nanos{0};
}

template <class Message>
bool InputBoard::Take(const Message& message, int64_t packet_stamp, Nanos received,
                      ChannelKind kind, Message& value) {
  const int64_t stamp = message.stamp_ns() != 0 ? message.stamp_ns() : packet_stamp;
  const bool taken = records_[static_cast<size_t>(kind)].Note(stamp, received, Sound(message));
  if (taken) value = message;
  return taken;
}

void InputBoard::Accept(const v1::Observation& observation, Nanos received) {
  const int64_t stamp = observation.stamp_ns();
  if (observation.has_scan() &&
      Take(observation.scan(), stamp, received, ChannelKind::kScan, scan_)) {
    valid_fraction_.reset();
  }
  if (observation.has_odom()) Take(observation.odom(), stamp, received, ChannelKind::kOdom, odom_);
  if (observation.has_image()) {
    Take(observation.image(), stamp, received, ChannelKind::kImage, image_);
  }
  if (observation.has_imu()) Take(observation.imu(), stamp, received, ChannelKind::kImu, imu_);
  if (observation.has_joints()) {
    Take(observation.joints(), stamp, received, ChannelKind::kJoints, joints_);
  }
  // Each signal is a channel of its own, so the map's order does not matter.
  for (const auto& [name, signal] : observation.signals()) {
    AcceptSignal(name, signal.value(), signal.stamp_ns() != 0 ? signal.stamp_ns() : stamp,
                 received);
  }
  estop_pressed_ = observation.estop_pressed();
  network_up_ = observation.network_up();
}

void InputBoard::AcceptSignal(std::string_view name, double value, int64_t stamp_ns,
                              Nanos received) {
  SignalEntry* entry = EntryFor(name, kMaxSignals);
  if (entry == nullptr || entry->own) return;
  if (entry->record.Note(stamp_ns, received, std::isfinite(value))) entry->value = value;
}

void InputBoard::SetSignal(std::string_view name, double value, Nanos now) {
  // Control's own names are few; no flood of the robot's keeps them out.
  SignalEntry* entry = EntryFor(name, SIZE_MAX);
  if (!entry->own) {
    // What the robot said so far was stamped by another clock; counters stay, they only rise.
    ChannelRecord fresh;
    fresh.messages = entry->record.messages;
    fresh.drops = entry->record.drops;
    entry->record = fresh;
    entry->own = true;
  }
  if (entry->record.Note(now.count(), now, std::isfinite(value))) entry->value = value;
}

SignalEntry* InputBoard::EntryFor(std::string_view name, size_t most) {
  const auto at = std::lower_bound(
      signals_.begin(), signals_.end(), name,
      [](const SignalEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  if (at != signals_.end() && at->name == name) return &*at;
  if (signals_.size() >= most) return nullptr;
  return &*signals_.insert(at, SignalEntry{.name = std::string(name), .record = {}, .value = 0});
}

const SignalEntry* InputBoard::FindSignal(std::string_view name) const {
  const auto at = std::lower_bound(
      signals_.begin(), signals_.end(), name,
      [](const SignalEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return at != signals_.end() && at->name == name ? &*at : nullptr;
}

const ChannelRecord* InputBoard::Find(std::string_view channel) const {
  const ChannelRecord* record = Heard(channel);
  return record != nullptr && record->seen ? record : nullptr;
}

const ChannelRecord* InputBoard::Heard(ChannelKind kind, std::string_view name) const {
  if (kind != ChannelKind::kSignal) return &RecordOf(kind);
  const SignalEntry* entry = FindSignal(name);
  return entry == nullptr ? nullptr : &entry->record;
}

double InputBoard::scan_valid_fraction() const {
  if (!valid_fraction_) valid_fraction_ = ValidFraction(scan_);
  return *valid_fraction_;
}

ChannelKind KindOf(std::string_view channel) {
  constexpr std::array<std::string_view, kMessageKinds> kNames = {"scan", "odom", "image", "imu",
                                                                  "joints"};
  return static_cast<ChannelKind>(std::find(kNames.begin(), kNames.end(), channel) -
                                  kNames.begin());
}

double ValidFraction(const v1::LaserScan& scan) {
  if (scan.ranges_m().empty()) return 0;
  // There are many beams, and their bits tell it at once: those of positive finite numbers, read as
  // a whole number, lie between those of 0 and of infinity.
  constexpr auto kInfinity = std::bit_cast<uint32_t>(std::numeric_limits<float>::infinity());
  uint32_t valid = 0;
  for (const float range_m : scan.ranges_m()) {
    valid += static_cast<uint32_t>(std::bit_cast<uint32_t>(range_m) - 1 < kInfinity - 1);
  }
  return static_cast<double>(valid) / scan.ranges_m_size();
}

}  // namespace agent::runtime
