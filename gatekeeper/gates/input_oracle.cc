#include "gatekeeper/gates/input_oracle.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gatekeeper/faults/channel.h"
#include "gatekeeper/gates/log_time.h"

namespace gatekeeper::gates {
namespace {

// What clocks may be off from each other by estimate, and what that may change while a fault lasts.
constexpr int64_t kDoubt_ns = 30'000'000;
constexpr int64_t kYear2096_ns = 4'000'000'000'000'000'000;

double ValidShare(const v1::LaserScan& scan) {
  const auto valid = std::count_if(scan.ranges_m().begin(), scan.ranges_m().end(),
                                   [](float range) { return std::isfinite(range) && range > 0; });
  return scan.ranges_m().empty() ? 0 : static_cast<double>(valid) / scan.ranges_m_size();
}

// Whether a value can be used at all.
bool IsSound(const v1::Observation& packet, const std::string& channel) {
  if (channel == "scan") return packet.scan().ranges_m_size() > 0;
  if (channel == "image") {
    const v1::Image& image = packet.image();
    const uint64_t planes = image.encoding() == "rgb8" ? 3 : 1;
    return !image.data().empty() &&
           image.data().size() == uint64_t{image.width()} * image.height() * planes;
  }
  const std::vector<double> numbers = faults::Numbers(packet, channel);
  return !numbers.empty() && std::all_of(numbers.begin(), numbers.end(),
                                         [](double number) { return std::isfinite(number); });
}

}  // namespace

void InputOracle::Hear(const faults::Message& message) {
  for (const auto& [channel, rule] : policy_.inputs()) {
    if (faults::Has(message.observation, channel)) Hear(channel, rule, message);
  }
}

void InputOracle::Hear(const std::string& channel, const v1::InputRule& rule,
                       const faults::Message& message) {
  if (!IsSound(message.observation, channel)) return;
  Seen& seen = seen_[channel];
  const int64_t stamp = faults::StampOf(message.observation, channel);
  if (stamp <= 0 || stamp > kYear2096_ns) {
    seen.wrong = true;
    return;
  }
  const int64_t delay = message.at_ns - stamp;
  if (!seen.any) seen.least_delay_ns = delay;
  if (seen.any && stamp < seen.stamp_ns) {
    seen.wrong = true;
    return;
  }
  const int64_t ahead = seen.least_delay_ns - delay;
  if (ahead > Nanoseconds(rule.max_future_ms()) + kDoubt_ns) seen.wrong = true;
  seen.least_delay_ns = std::min(seen.least_delay_ns, delay);
  if (stamp > seen.stamp_ns || !seen.any) seen.advanced_ns = message.at_ns;
  seen.any = true;
  seen.stamp_ns = stamp;
  seen.received_ns = message.at_ns;
  seen.recorded_ns = message.recorded_ns;
  if (channel == "scan") seen.valid = ValidShare(message.observation.scan());
}

bool InputOracle::Breaks(const std::string& channel, const v1::InputRule& rule, const Seen& seen,
                         int64_t now_ns) const {
  if (seen.wrong) return true;
  if (!seen.any) return false;
  if (now_ns - seen.received_ns > Nanoseconds(rule.max_age_ms())) return true;
  if (now_ns - seen.advanced_ns > Nanoseconds(rule.stuck_after_ms())) return true;
  // A message under way for long is known by its stamp, unless that stands still.
  const bool advances = seen.advanced_ns == seen.received_ns;
  if (advances && now_ns - seen.recorded_ns > Nanoseconds(rule.max_age_ms()) + kDoubt_ns)
    return true;
  return channel == "scan" && seen.valid < rule.min_valid_fraction();
}

void InputOracle::Step(int64_t now_ns) {
  for (const auto& [channel, rule] : policy_.inputs()) {
    const auto found = seen_.find(channel);
    if (found == seen_.end()) continue;
    const bool breaks = Breaks(channel, rule, found->second, now_ns);
    found->second.wrong = false;
    if (!breaks || demanded_ns_ != 0 || now_ns < from_ns_) continue;
    demanded_ns_ = now_ns;
    demanded_ = rule.trigger();
  }
}

}  // namespace gatekeeper::gates
