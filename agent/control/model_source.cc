#include "agent/control/model_source.h"

#include <utility>

#include "agent/base/status_macros.h"

namespace agent::control {

absl::StatusOr<std::shared_ptr<const Crew>> MakeCrew(
    const std::string& digest, std::shared_ptr<const runtime::UnitRules> rules,
    std::unique_ptr<base::Model> model) {
  ASSIGN_OR_RETURN(runtime::Binding binding,
                   runtime::Binding::Compile(rules->card, rules->policy, model->signature()));
  auto timed = std::make_unique<TimedModel>(std::move(model));
  base::Model* const address = timed.get();
  return std::make_shared<const Crew>(Crew{
      .pilot = {digest, std::move(rules), std::move(binding), address}, .model = std::move(timed)});
}

std::shared_ptr<const Crew> WithoutModel(const Crew& crew) {
  runtime::Pilot pilot = crew.pilot;
  pilot.model = nullptr;
  return std::make_shared<const Crew>(Crew{.pilot = std::move(pilot), .model = nullptr});
}

}  // namespace agent::control
