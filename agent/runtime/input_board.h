#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "proto/robot.pb.h"

namespace agent::runtime {

using base::Nanos;

// What a channel's messages are; its name says it.
enum class ChannelKind { kScan, kOdom, kImage, kImu, kJoints, kSignal };
inline constexpr size_t kMessageKinds = 5;  // all but signals, of which there are many
ChannelKind KindOf(std::string_view channel);

// Messages whose value was not taken; the counts only rise.
struct Drops {
  uint64_t invalid = 0;       // a value was not finite, or sizes did not fit
  uint64_t unstamped = 0;     // neither the channel nor its packet had a stamp that a clock gives
  uint64_t out_of_order = 0;  // a little behind the newest stamp: overtaken on the way
  uint64_t backward = 0;      // far behind it: the sender's clock was set back or wrapped
};

// What is known about one channel's messages, whatever they hold.
class ChannelRecord {
 public:
  bool seen = false;
  uint64_t messages = 0;  // values taken
  Nanos received{};       // of the newest value taken, on our monotonic clock
  // When it was sent, on our clock, if the fastest message so far took no time at all; never after
  // `received`. A delay that is the same for every message cannot be seen.
  Nanos sent{};
  int64_t stamp_ns = 0;  // of the newest value taken, on the sender's clock
  Nanos advanced{};      // when a stamp last rose
  Nanos ahead{};         // newest stamp beyond our estimate of the sender's clock; <= 0: not ahead
  Drops drops;

 private:
  friend class InputBoard;
  // Judges one message; true when its value is to be taken.
  bool Note(int64_t stamp, Nanos now, bool sound);
  void NoteFall(int64_t stamp, Nanos delay, Nanos now);
  void Estimate(int64_t stamp, Nanos delay, Nanos now);

  int64_t highest_ns_ = 0;  // stamp since the sender's clock was last set; 0: none yet
  int64_t fallen_ns_ = 0;   // stamp of the message just before, if that was out of order
  Nanos least_delay_{};     // least (received - stamp): our estimate of the clocks' offset
  Nanos least_delay_at_{};
  Nanos late_by_{};  // how much longer than the least delay the newest stamp travelled
};

// More names than any robot has; a flood of new ones must not eat the memory of the control
// process.
inline constexpr size_t kMaxSignals = 256;

struct SignalEntry {
  std::string name;
  ChannelRecord record;
  double value = 0;
  bool own = false;  // measured by control itself: the robot's program cannot speak for it
};

// The newest value of every channel and when it came. Values that are not finite are not taken (a
// scan may hold non-finite ranges: no return), so that they grow stale instead. A channel's own
// stamp of 0 means the packet's. One thread.
class InputBoard {
 public:
  void Accept(const gatekeeper::v1::Observation& observation, Nanos received);

  // One signal of the robot's, read from its packet by somebody who keeps no map.
  void AcceptSignal(std::string_view name, double value, int64_t stamp_ns, Nanos received);

  // A signal that control measures itself (heat, supply, latency), stamped by our clock. Touches
  // nothing else. From then on the robot's messages under that name are passed over.
  void SetSignal(std::string_view name, double value, Nanos now);

  // Null when no message of this channel ever came. `channel`: scan, odom, image, imu, joints or a
  // signal.
  const ChannelRecord* Find(std::string_view channel) const;
  // The same, and channels of which every message so far was dropped; null for unknown signals.
  const ChannelRecord* Heard(std::string_view channel) const {
    return Heard(KindOf(channel), channel);
  }
  // For those who know the kind already; the name is that of a signal.
  const ChannelRecord* Heard(ChannelKind kind, std::string_view name) const;
  // Of any kind but signals.
  const ChannelRecord& RecordOf(ChannelKind kind) const {
    return records_[static_cast<size_t>(kind)];
  }

  const gatekeeper::v1::LaserScan& scan() const { return scan_; }
  const gatekeeper::v1::Odometry& odom() const { return odom_; }
  const gatekeeper::v1::Image& image() const { return image_; }
  const gatekeeper::v1::Imu& imu() const { return imu_; }
  const gatekeeper::v1::JointState& joints() const { return joints_; }
  const SignalEntry* FindSignal(std::string_view name) const;
  // ValidFraction of scan(), counted once a scan.
  double scan_valid_fraction() const;

  bool estop_pressed() const { return estop_pressed_; }  // newest observation
  bool network_up() const { return network_up_; }  // newest observation; true before the first

 private:
  // Whether the value was taken.
  template <class Message>
  bool Take(const Message& message, int64_t packet_stamp, Nanos received, ChannelKind kind,
            Message& value);
  SignalEntry* EntryFor(std::string_view name, size_t most);  // null: `most` names already

  std::array<ChannelRecord, kMessageKinds> records_;  // by ChannelKind
  gatekeeper::v1::LaserScan scan_;
  mutable std::optional<double> valid_fraction_;  // of scan_; none: not counted yet
  gatekeeper::v1::Odometry odom_;
  gatekeeper::v1::Image image_;
  gatekeeper::v1::Imu imu_;
  gatekeeper::v1::JointState joints_;
  std::vector<SignalEntry> signals_;  // ascending by name
  bool estop_pressed_ = false;
  bool network_up_ = true;
};

// Share of beams with a finite range above 0; 0 for an empty scan.
double ValidFraction(const gatekeeper::v1::LaserScan& scan);

}  // namespace agent::runtime
