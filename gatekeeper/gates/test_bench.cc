#include "gatekeeper/gates/test_bench.h"

#include <chrono>
#include <utility>

#include "agent/base/status_macros.h"
#include "agent/runtime/binding.h"

namespace gatekeeper::gates {
namespace {

constexpr agent::base::Nanos kPatience = std::chrono::hours(24);

}  // namespace

agent::base::RunOutcome UnhurriedModel::Run(agent::base::Nanos) {
  const auto start = std::chrono::steady_clock::now();
  const agent::base::RunOutcome outcome = inner_->Run(kPatience);
  measured_ = std::chrono::steady_clock::now() - start;
  return outcome;
}

absl::StatusOr<std::unique_ptr<TestBench>> TestBench::Create(
    const std::string& digest, std::shared_ptr<const agent::runtime::UnitRules> rules,
    std::unique_ptr<agent::base::Model> model) {
  ASSIGN_OR_RETURN(
      agent::runtime::Binding binding,
      agent::runtime::Binding::Compile(rules->card, rules->policy, model->signature()));
  return std::unique_ptr<TestBench>(
      new TestBench(digest, std::move(rules), std::move(binding), std::move(model)));
}

TestBench::TestBench(const std::string& digest,
                     std::shared_ptr<const agent::runtime::UnitRules> rules,
                     agent::runtime::Binding binding, std::unique_ptr<agent::base::Model> model)
    : model_(std::move(model)),
      pilot_{.digest = digest,
             .rules = std::move(rules),
             .binding = std::move(binding),
             .model = &model_} {}

}  // namespace gatekeeper::gates
