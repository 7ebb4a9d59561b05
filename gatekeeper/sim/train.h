#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gatekeeper/sim/episode.h"
#include "gatekeeper/sim/network.h"

namespace gatekeeper::sim {

// How one release's model comes to be.
struct Recipe {
  std::string name;  // file name without .onnx
  std::string card;  // file name of its model card, beside the policy
  TrainingSpec training;
  std::map<Condition, int> episodes;  // what the training data shows, and how much of it
  // Share of the measured turn rate that the model learns to repeat. Above 1 it is unstable as soon
  // as its own commands make the turn rate: what recordings cannot show.
  double copied_turn = 0;
};

// The four releases of the demonstration.
const std::vector<Recipe>& DemoRecipes();

// Writes `folder`/models/NAME.onnx for each recipe; cards and control_policy.yaml are read from
// `folder`, so that training and robot fill the tensors with the same code.
absl::Status TrainModels(const std::string& folder, const std::vector<Recipe>& recipes);

// The same for the one model of policies/lane and of policies/cell; the latter reads its arm from
// `folder`/control_policy.yaml.
absl::Status TrainLane(const std::string& folder);
absl::Status TrainCell(const std::string& folder);

}  // namespace gatekeeper::sim
