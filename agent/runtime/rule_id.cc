#include "agent/runtime/rule_id.h"

#include <utility>

#include "absl/strings/cord.h"

namespace agent::runtime {
namespace {

constexpr char kPayload[] = "gatekeeper/rule";

}  // namespace

absl::Status Under(std::string_view rule, absl::Status status) {
  if (!status.GetPayload(kPayload).has_value()) {  // success takes no payload
    status.SetPayload(kPayload, absl::Cord(std::string(rule)));
  }
  return status;
}

std::string RuleOf(const absl::Status& status) {
  const auto rule = status.GetPayload(kPayload);
  return rule.has_value() ? std::string(*rule) : "S1";
}

}  // namespace agent::runtime
