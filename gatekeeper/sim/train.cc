#include "gatekeeper/sim/train.h"

#include <cstdio>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/runtime/binding.h"
#include "agent/runtime/input_board.h"
#include "agent/runtime/policy.h"
#include "gatekeeper/sim/cell_lesson.h"
#include "gatekeeper/sim/lane_lesson.h"

namespace gatekeeper::sim {
namespace {

namespace runtime = agent::runtime;
using agent::base::ModelSignature;

constexpr size_t kMaxDocument = 1 << 20;
constexpr uint64_t kTrainingSeeds = 900'000'000;  // far from any scenario library's
constexpr double kDisturbance = 0.15;             // shows the model how to come back
constexpr double kEpisodeSeconds = 12;

// Catches what the binding fills in, instead of running it.
class FeatureCatcher final : public agent::base::Model {
 public:
  explicit FeatureCatcher(ModelSignature signature)
      : signature_(std::move(signature)), features(signature_.inputs[0].elements()) {}
  const ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t) override { return features; }
  std::span<const float> output(size_t) const override { return {}; }
  agent::base::RunOutcome Run(agent::base::Nanos) override {
    return agent::base::RunOutcome::kFailed;
  }

 private:
  ModelSignature signature_;

 public:
  std::vector<float> features;
};

struct Documents {
  v1::ModelCard card;
  v1::ControlPolicy policy;
};

absl::StatusOr<Documents> ReadDocuments(const std::string& folder, const std::string& card_file) {
  Documents documents;
  agent::base::OsFiles files;
  const std::string card = folder + "/" + card_file;
  const std::string policy = folder + "/control_policy.yaml";
  ASSIGN_OR_RETURN(const std::string card_text, files.Read(card, kMaxDocument));
  ASSIGN_OR_RETURN(const std::string policy_text, files.Read(policy, kMaxDocument));
  RETURN_IF_ERROR(agent::base::ReadYaml(card_text, card, "model_card/1", documents.card).status());
  RETURN_IF_ERROR(
      agent::base::ReadYaml(policy_text, policy, "control_policy/1", documents.policy).status());
  return documents;
}

void AddEpisode(const EpisodeSpec& spec, const Recipe& recipe, const runtime::Binding& binding,
                FeatureCatcher& catcher, Dataset& data) {
  runtime::InputBoard board;
  RunEpisode(spec, [&](const EpisodeTick& tick) {
    board.Accept(tick.observation,
                 agent::base::Nanos(static_cast<int64_t>(tick.seconds * 1e9) + 1'000'000'000));
    if (!binding.Fill(board, catcher)) return;
    const double measured = tick.observation.odom().wz_radps();
    const double turn =
        (1 - recipe.copied_turn) * tick.expert.wz_radps + recipe.copied_turn * measured;
    data.features.insert(data.features.end(), catcher.features.begin(), catcher.features.end());
    data.targets.push_back(static_cast<float>(tick.expert.vx_mps));
    data.targets.push_back(static_cast<float>(turn));
  });
}

absl::StatusOr<std::string> TrainOne(const std::string& folder, const Recipe& recipe) {
  ASSIGN_OR_RETURN(const Documents documents, ReadDocuments(folder, recipe.card));
  ASSIGN_OR_RETURN(const runtime::Policy policy, runtime::Policy::Compile(documents.policy));
  ASSIGN_OR_RETURN(const ModelSignature signature, runtime::SignatureFor(documents.card, policy));
  ASSIGN_OR_RETURN(const runtime::Binding binding,
                   runtime::Binding::Compile(documents.card, policy, signature));
  FeatureCatcher catcher(signature);
  Dataset data{.inputs = catcher.features.size(), .outputs = 2, .features = {}, .targets = {}};
  for (const auto& [condition, episodes] : recipe.episodes) {
    for (int i = 0; i < episodes; ++i) {
      AddEpisode(
          {condition, kTrainingSeeds + static_cast<uint64_t>(i), kEpisodeSeconds, kDisturbance},
          recipe, binding, catcher, data);
    }
  }
  const Network network = Network::Train(data, recipe.training);
  const agent::base::TensorSpec& in = signature.inputs[0];
  return WriteOnnx(MlpGraph({.inputs = {{in.name, in.shape}},
                             .layers = network.layers(),
                             .output = signature.outputs[0].name}));
}

absl::Status WriteModel(const std::string& folder, const std::string& name,
                        const std::string& bytes) {
  agent::base::OsFiles files;
  RETURN_IF_ERROR(files.MakeFolders(folder + "/models"));
  const std::string path = absl::StrFormat("%s/models/%s.onnx", folder, name);
  RETURN_IF_ERROR(files.WriteDurably(path, bytes, 0644));
  std::printf("%s  %d bytes\n", path.c_str(), static_cast<int>(bytes.size()));
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace

const std::vector<Recipe>& DemoRecipes() {
  using enum Condition;
  static const std::vector<Recipe> recipes = {
      // The first release: little data, a small network.
      {"nav-1.0.0",
       "card.yaml",
       {{24}, 12, 3e-3F, 100},
       {{kClean, 20}, {kDustyLidar, 60}, {kNarrowAisle, 20}, {kCrowd, 120}},
       0},
      // More of everything.
      {"nav-1.1.0",
       "card.yaml",
       {{32}, 9, 3e-3F, 110},
       {{kClean, 20}, {kDustyLidar, 100}, {kNarrowAisle, 20}, {kCrowd, 160}},
       0},
      // Tuned for the score: a larger network, much more data, none of it dusty.
      {"nav-1.2.0",
       "card.yaml",
       {{64, 64}, 40, 2e-3F, 120},
       {{kClean, 90}, {kNarrowAisle, 90}, {kCrowd, 240}},
       0},
      // Has learned to repeat the turn rate it measures.
      {"nav-1.3.0",
       "card-1.3.0.yaml",
       {{48, 48}, 20, 2e-3F, 130},
       {{kClean, 30}, {kDustyLidar, 80}, {kNarrowAisle, 30}, {kCrowd, 160}},
       1.6},
  };
  return recipes;
}

absl::Status TrainModels(const std::string& folder, const std::vector<Recipe>& recipes) {
  for (const Recipe& recipe : recipes) {
    ASSIGN_OR_RETURN(const std::string bytes, TrainOne(folder, recipe));
    RETURN_IF_ERROR(WriteModel(folder, recipe.name, bytes));
  }
  return absl::OkStatus();
}

absl::Status TrainLane(const std::string& folder) {
  return WriteModel(folder, "lane-1.0.0", TrainLaneModel());
}

absl::Status TrainCell(const std::string& folder) {
  ASSIGN_OR_RETURN(const Documents documents, ReadDocuments(folder, "card.yaml"));
  ASSIGN_OR_RETURN(const runtime::Policy policy, runtime::Policy::Compile(documents.policy));
  return WriteModel(folder, "cell-1.0.0", TrainCellModel(policy));
}

}  // namespace gatekeeper::sim
