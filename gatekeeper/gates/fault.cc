#include "gatekeeper/gates/fault.h"

#include "absl/strings/str_format.h"
#include "gatekeeper/faults/channel.h"
#include "gatekeeper/faults/draws.h"

namespace gatekeeper::gates {
namespace {

const char* NameOfPrevious(Fault::Previous previous) {
  switch (previous) {
    case Fault::Previous::kAbsent:
      return "absent";
    case Fault::Previous::kSound:
      return "sound";
    case Fault::Previous::kFails:
      return "fails";
    case Fault::Previous::kNan:
      return "nan";
    case Fault::Previous::kLate:
      return "late";
  }
  return "";
}

}  // namespace

std::string Text(const Fault& fault) {
  switch (fault.kind) {
    case Fault::Kind::kNone:
      return "as recorded";
    case Fault::Kind::kDropChannel:
      return absl::StrFormat("drop:%s from %d to %d", fault.channel, fault.onset_ns,
                             fault.until_ns);
    case Fault::Kind::kLinkDown:
      return absl::StrFormat("link_down from %d to %d, seen from %d, %d flaps", fault.onset_ns,
                             fault.until_ns, fault.from_ns, fault.flaps);
    case Fault::Kind::kCatalogue:
    case Fault::Kind::kOpenLoop:
      return absl::StrFormat("%s[%s][%s] onset %d, seen from %d to %d, previous unit %s",
                             fault.closed() ? "fault" : "change", faults::Text(fault.spec),
                             faults::Text(fault.also), fault.onset_ns, fault.from_ns,
                             fault.until_ns, NameOfPrevious(fault.previous));
  }
  return "";
}

bool LinkIsUp(const Fault& fault, int64_t now_ns) {
  if (!fault.Obeys(now_ns)) return true;
  const int64_t stretch = (now_ns - fault.onset_ns) / kFlap_ns;
  if (fault.kind == Fault::Kind::kLinkDown) return stretch < 2 * fault.flaps && stretch % 2 == 1;
  if (!fault.spec.On(now_ns)) return true;
  if (fault.spec.id == "link_down") return false;
  if (fault.spec.id != "link_lossy") return true;
  return stretch > 0 &&
         faults::Draws(fault.spec.seed + static_cast<uint64_t>(stretch)).Unit() < 0.5;
}

void Apply(const Fault& fault, int64_t now_ns, v1::Observation& observation) {
  if (!fault.Obeys(now_ns)) return;
  if (fault.kind == Fault::Kind::kDropChannel) faults::Remove(fault.channel, observation);
}

void TouchPacket(const Fault& fault, int64_t now_ns, v1::Observation& observation) {
  if (fault.kind == Fault::Kind::kLinkDown && !LinkIsUp(fault, now_ns))
    observation.set_network_up(false);
  if (!fault.closed() || !fault.spec.On(now_ns)) return;
  if (fault.spec.id == "link_half_open") observation.set_network_up(false);
}

}  // namespace gatekeeper::gates
