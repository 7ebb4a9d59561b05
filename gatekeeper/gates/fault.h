#pragma once

#include <cstdint>
#include <string>

#include "gatekeeper/faults/spec.h"
#include "proto/robot.pb.h"

namespace gatekeeper::gates {

// What is done to a recording while it is replayed.
struct Fault {
  enum class Kind {
    kNone,
    kDropChannel,
    kLinkDown,
    kCatalogue,  // `spec` names a fault of the catalogue; without an id nothing is hurt: the drive
                 // to compare with
    kOpenLoop,   // `spec` names a corruption or a relation; the robot drives as recorded
  };
  // What stands by to take over, and what is wrong with it.
  enum class Previous { kAbsent, kSound, kFails, kNan, kLate };

  Kind kind = Kind::kNone;
  std::string channel;   // kDropChannel
  int64_t onset_ns = 0;  // log time
  int64_t until_ns = 0;  // ticks go on to here; after the recording's end the world stands still
  faults::Spec spec = {};
  // A second fault, on top of `spec`; without an id there is none.
  faults::Spec also = {};
  Previous previous = Previous::kAbsent;
  int flaps = 0;        // kLinkDown: down and up again so many times before it stays down
  int64_t from_ns = 0;  // what was recorded before is passed over; 0: nothing

  // From the onset on the robot does what it is told, not what the recorded one did.
  bool Obeys(int64_t now_ns) const { return closed() && now_ns >= onset_ns; }
  bool closed() const { return kind != Kind::kNone && kind != Kind::kOpenLoop; }
};

// All of the fault in words, different for different faults: results of replays are kept under it.
std::string Text(const Fault& fault);

inline constexpr int64_t kFlap_ns =
    400'000'000;  // a link that comes and goes is down, or up, so long

// Whether the link to the gatekeeper is up, as far as the fault has a say in it.
bool LinkIsUp(const Fault& fault, int64_t now_ns);

// Does to one observation, received at `now_ns`, what a channel's loss does to it.
void Apply(const Fault& fault, int64_t now_ns, v1::Observation& observation);
// The same of what a packet says of the robot as a whole: its radio, its emergency stop button.
void TouchPacket(const Fault& fault, int64_t now_ns, v1::Observation& observation);

}  // namespace gatekeeper::gates
