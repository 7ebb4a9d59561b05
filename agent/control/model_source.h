#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/base/model.h"
#include "agent/control/realtime.h"
#include "agent/control/timed_model.h"
#include "agent/runtime/unit_rules.h"

namespace agent::control {

// A unit that may drive: its rules compiled and its model warm. Stays where it is made, because
// Controllers and ShadowRuns keep the pilot's address.
struct Crew {
  runtime::Pilot pilot;
  std::unique_ptr<TimedModel> model;  // pilot.model; null when it was lost
};

// Binds `model` to `rules`; the errors are Binding::Compile's.
absl::StatusOr<std::shared_ptr<const Crew>> MakeCrew(
    const std::string& digest, std::shared_ptr<const runtime::UnitRules> rules,
    std::unique_ptr<base::Model> model);
// The same unit after its model is gone.
std::shared_ptr<const Crew> WithoutModel(const Crew& crew);

// What became of one request. The first news of a ticket is its crew or why there is none; an error
// after the crew says that its model is gone for good (its worker died).
struct SourceNews {
  uint64_t ticket = 0;
  std::shared_ptr<const Crew> crew;
  absl::Status reason;  // why there is none (any more); OK with a crew
  std::string note{};   // with a crew: what its model runs on, for people
};

// Loads verified units off the control thread. The real one (WorkerSource) starts a worker process
// a unit; journeys and tests put their own models in its place.
class ModelSource {
 public:
  virtual ~ModelSource() = default;
  // Never blocks. The ticket, never 0, names this request in Poll.
  virtual uint64_t Request(const std::string& digest, const std::string& slot_folder) = 0;
  // The next piece of news, if there is any. Never blocks.
  virtual std::optional<SourceNews> Poll() = 0;
  // Ends a model that was handed over and answers no more; its loss comes as news. Never blocks.
  virtual void Kill(uint64_t ticket) = 0;
  // A model that was handed over begins or ends to drive. Never blocks; for sources whose models
  // are processes of their own.
  virtual void SetUrgency(uint64_t /*ticket*/, Urgency /*urgency*/) {}
};

}  // namespace agent::control
