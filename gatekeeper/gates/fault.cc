#include "gatekeeper/gates/fault.h"

#include "absl/strings/str_format.h"
#include "gatekeeper/faults/channel.h"

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
      return absl::StrFormat("link_down from %d to %d", fault.onset_ns, fault.until_ns);
    case Fault::Kind::kCatalogue:
    case Fault::Kind::kOpenLoop:
      return absl::StrFormat("%s[%s][%s] onset %d, seen from %d to %d, previous unit %s",
                             fault.closed() ? "fault" : "change", faults::Text(fault.spec),
                             faults::Text(fault.also), fault.onset_ns, fault.from_ns,
                             fault.until_ns, NameOfPrevious(fault.previous));
  }
  return "";
}

void Apply(const Fault& fault, int64_t now_ns, v1::Observation& observation) {
  if (!fault.Obeys(now_ns)) return;
  if (fault.kind == Fault::Kind::kDropChannel) faults::Remove(fault.channel, observation);
  if (fault.kind == Fault::Kind::kLinkDown) observation.set_network_up(false);
}

}  // namespace gatekeeper::gates
