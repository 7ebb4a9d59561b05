#include <memory>

#include "agent/base/yaml_document.h"
#include "proto/fallback.pb.h"
#include "proto/gates.pb.h"
#include "proto/policy.pb.h"
#include "proto/rollout.pb.h"
#include "proto/unit.pb.h"
#include "tests/fuzz/target.h"

// The first byte chooses the kind of document.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 65'536, .per_input_byte = 256};

namespace {

namespace v1 = ::gatekeeper::v1;

struct Kind {
  const char* schema;
  const char* example;
  std::unique_ptr<google::protobuf::Message> (*make)();
};

template <class Message>
std::unique_ptr<google::protobuf::Message> Make() {
  return std::make_unique<Message>();
}

constexpr Kind kKinds[] = {
    {"control_policy/1", "policies/nav/control_policy.yaml", Make<v1::ControlPolicy>},
    {"fallback_rules/1", "policies/nav/fallback_rules.yaml", Make<v1::FallbackRules>},
    {"model_card/1", "policies/nav/card.yaml", Make<v1::ModelCard>},
    {"release/1", "policies/nav/release-1.2.0.yaml", Make<v1::ReleaseSpec>},
    {"gate_suite/1", "policies/suites/nav.yaml", Make<v1::GateSuite>},
    {"rollout_plan/1", "policies/plans/nav.yaml", Make<v1::RolloutPlan>},
};

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  std::vector<std::string> seeds;
  for (size_t i = 0; i < std::size(kKinds); ++i) {
    seeds.push_back(static_cast<char>(i) + FileText(kKinds[i].example));
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Kind& kind = kKinds[data[0] % std::size(kKinds)];
  const std::unique_ptr<google::protobuf::Message> message = kind.make();
  const auto map =
      agent::base::ReadYaml(fuzz::Text(data + 1, size - 1), "input.yaml", kind.schema, *message);
  if (map.ok()) return 0;
  fuzz::Check(map.status().code() == absl::StatusCode::kInvalidArgument, "not the writer's fault");
  fuzz::Check(map.status().message().substr(0, 10) == "input.yaml", "an error without its place");
  return 0;
}
