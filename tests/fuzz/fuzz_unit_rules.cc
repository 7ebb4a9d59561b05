#include "agent/runtime/unit_rules.h"
#include "tests/fuzz/target.h"

// A unit's three documents, card, policy and fallback rules, between lines of "%%%".

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 1'000'000, .per_input_byte = 64};

namespace {

constexpr std::string_view kBetween = "\n%%%\n";

std::string Unit(const std::string& folder) {
  std::string unit;
  for (const char* file : {"card.yaml", "control_policy.yaml", "fallback_rules.yaml"}) {
    if (!unit.empty()) unit += kBetween;
    unit += fuzz::FileText(folder + "/" + file);
  }
  return unit;
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  return {Unit("policies/nav"), Unit("policies/lane"), Unit("policies/cell")};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = fuzz::Text(data, size);
  std::string_view documents[3];
  for (std::string_view& document : documents) {
    const size_t end = std::min(rest.find(kBetween), rest.size());
    document = rest.substr(0, end);
    rest.remove_prefix(std::min(end + kBetween.size(), rest.size()));
  }
  const auto rules = agent::runtime::LoadRules(documents[0], documents[1], documents[2]);
  if (rules.ok()) return 0;
  fuzz::Check(rules.status().code() == absl::StatusCode::kInvalidArgument,
              "not the writer's fault");
  return 0;
}
