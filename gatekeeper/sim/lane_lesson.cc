#include "gatekeeper/sim/lane_lesson.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gatekeeper/sim/network.h"
#include "gatekeeper/sim/onnx_writer.h"
#include "gatekeeper/sim/picture.h"
#include "gatekeeper/sim/random.h"

namespace gatekeeper::sim {
namespace {

// The camera: 1 m above the ground, 80 pixels of focal length, so that 10 cm at 4 m are two pixels.
// Its lowest rows see 1.5 m ahead, its highest 8 m.
constexpr double kFocal = 80;
constexpr double kTopRow = 10;  // pixels below the horizon
constexpr double kRowStep = 1.5;
constexpr double kPaintM = 0.1;
constexpr double kAsphalt = 0.3;
constexpr double kPaint = 0.9;
constexpr double kNoise = 0.03;

constexpr double kLookAheadM = 3;
constexpr double kFastestMps = 1.4;  // a little less than the policy allows: nothing to clamp
constexpr double kCreepMps = 0.3;
constexpr double kSidewaysMps2 = 0.5;

// The networks see block means, brought to about -1 to 1.
constexpr size_t kLaneBlockColumns = 5;
constexpr size_t kLaneBlockRows = 6;
constexpr size_t kLaneColumns = kLaneWidth / kLaneBlockColumns;
constexpr size_t kLaneBlocks = kLaneColumns * (kLaneHeight / kLaneBlockRows);
constexpr size_t kLaneFeatures = kLaneBlocks + 1;  // and the speed
constexpr float kLaneGain = 6;  // the paint raises a block's mean by 0.02 to 0.25
constexpr size_t kMembers = 5;
constexpr size_t kMemberWidth = 6;  // of each
constexpr size_t kSaid = 3;         // vx, wz, confidence
constexpr int kLanePictures = 3000;
constexpr uint64_t kLaneSeed = 700;

LaneView AnyView(Random& random, uint64_t seed) {
  LaneView view{.offset_m = random.Uniform(-0.6, 0.6),
                .heading_rad = random.Uniform(-0.25, 0.25),
                .curvature_1pm = random.Uniform(-0.15, 0.15),
                .contrast = random.Uniform(0.6, 1),
                .seed = seed};
  if (random.Below(5) == 0) view.contrast = 0;
  return view;
}

void AddLaneExample(const LaneView& view, double speed_mps, Dataset& data) {
  for (const float mean :
       BlockMeans(LanePicture(view), kLaneWidth, {kLaneBlockRows, kLaneBlockColumns})) {
    data.features.push_back((mean - static_cast<float>(kAsphalt)) * kLaneGain);
  }
  data.features.push_back(static_cast<float>(speed_mps));
  const Twist twist = FollowLane(view, speed_mps);
  data.targets.push_back(static_cast<float>(twist.vx_mps));
  data.targets.push_back(static_cast<float>(twist.wz_radps));
  data.targets.push_back(view.contrast > 0 ? 1.0F : 0.0F);
}

// Each learns from pictures of its own, so that they agree where there is something to be learned.
Network TrainMember(uint64_t member) {
  Random random(kLaneSeed + member);
  Dataset data{.inputs = kLaneFeatures, .outputs = kSaid, .features = {}, .targets = {}};
  for (int i = 0; i < kLanePictures; ++i) {
    const LaneView view = AnyView(random, random.Next());
    AddLaneExample(view, random.Uniform(0, 1.5), data);
  }
  return Network::Train(
      data, {.hidden = {kMemberWidth}, .epochs = 40, .learning_rate = 3e-3F, .seed = member + 1});
}

// The members side by side in one layer pair; what brings blocks to -1 to 1 goes into the weights.
struct Joined {
  DenseLayer hidden{.inputs = kLaneFeatures,
                    .outputs = kMembers * kMemberWidth,
                    .weights = std::vector<float>(kLaneFeatures * kMembers * kMemberWidth, 0.0F),
                    .bias = std::vector<float>(kMembers * kMemberWidth, 0.0F),
                    .activation = Activation::kTanh};
  DenseLayer said{.inputs = kMembers * kMemberWidth,
                  .outputs = kMembers * kSaid,
                  .weights = std::vector<float>(kMembers * kMemberWidth * kMembers * kSaid, 0.0F),
                  .bias = std::vector<float>(kMembers * kSaid, 0.0F),
                  .activation = Activation::kNone};

  void Add(size_t member, const Network& network) {
    const DenseLayer& first = network.layers()[0];
    const DenseLayer& last = network.layers()[1];
    for (size_t h = 0; h < kMemberWidth; ++h) {
      const size_t to = member * kMemberWidth + h;
      hidden.bias[to] = first.bias[h];
      for (size_t f = 0; f < kLaneFeatures; ++f) {
        const float gain = f < kLaneBlocks ? kLaneGain : 1;
        const float weight = first.weights[f * kMemberWidth + h] * gain;
        hidden.weights[f * kMembers * kMemberWidth + to] = weight;
        if (f < kLaneBlocks) hidden.bias[to] -= weight * static_cast<float>(kAsphalt);
      }
      for (size_t s = 0; s < kSaid; ++s) {
        said.weights[to * kMembers * kSaid + member * kSaid + s] = last.weights[h * kSaid + s];
      }
    }
    std::copy_n(last.bias.begin(), kSaid,
                said.bias.begin() + static_cast<std::ptrdiff_t>(member * kSaid));
  }
};

// Of what all members say, the mean of each number.
OnnxConstant MeanOfMembers() {
  OnnxConstant mean{"mean", {kMembers * kSaid, kSaid}, {}};
  mean.data.assign(kMembers * kSaid * kSaid, 0.0F);
  for (size_t i = 0; i < kMembers * kSaid; ++i) mean.data[i * kSaid + i % kSaid] = 1.0F / kMembers;
  return mean;
}

// Of what all members say, how far each one's turn is from their mean turn.
OnnxConstant TurnsFromMean() {
  OnnxConstant apart{"apart", {kMembers * kSaid, kMembers}, {}};
  apart.data.assign(kMembers * kSaid * kMembers, 0.0F);
  for (size_t from = 0; from < kMembers; ++from) {
    float* const row = &apart.data[(from * kSaid + 1) * kMembers];
    for (size_t to = 0; to < kMembers; ++to) row[to] = (from == to ? 1.0F : 0.0F) - 1.0F / kMembers;
  }
  return apart;
}

}  // namespace

std::string LanePicture(const LaneView& view) {
  Random random(view.seed);
  std::string picture;
  picture.reserve(kLaneWidth * kLaneHeight);
  for (size_t row = 0; row < kLaneHeight; ++row) {
    const double ahead_m = kFocal / (kTopRow + kRowStep * static_cast<double>(row));
    const double paint_m = view.offset_m + std::tan(view.heading_rad) * ahead_m +
                           view.curvature_1pm / 2 * ahead_m * ahead_m;
    const double middle = kLaneWidth / 2.0 - kFocal * paint_m / ahead_m;
    const double half = kFocal * kPaintM / 2 / ahead_m;
    for (size_t column = 0; column < kLaneWidth; ++column) {
      const double share =
          view.contrast * Covered(static_cast<double>(column), 1, middle - half, middle + half);
      picture.push_back(GreyByte(kAsphalt + (kPaint - kAsphalt) * share + random.Normal(kNoise)));
    }
  }
  return picture;
}

Twist FollowLane(const LaneView& view, double speed_mps) {
  if (view.contrast <= 0) return {kCreepMps, 0};
  const double left_m = view.offset_m + std::tan(view.heading_rad) * kLookAheadM +
                        view.curvature_1pm / 2 * kLookAheadM * kLookAheadM;
  const double curve_1pm = 2 * left_m / (kLookAheadM * kLookAheadM + left_m * left_m);
  const double sideways = std::sqrt(kSidewaysMps2 / std::max(std::abs(curve_1pm), 1e-3));
  return {std::min(kFastestMps, sideways), speed_mps * curve_1pm};
}

std::string TrainLaneModel() {
  Joined joined;
  for (size_t member = 0; member < kMembers; ++member) joined.Add(member, TrainMember(member));
  const auto constant = [](const char* name, int64_t rows, int64_t columns,
                           const std::vector<float>& data) {
    return OnnxConstant{name, {rows, columns}, data};
  };
  const std::vector<int64_t> block = {kLaneBlockRows, kLaneBlockColumns};
  const OnnxGraph graph{
      .inputs = {{"image", {1, 1, kLaneHeight, kLaneWidth}}, {"speed", {1, 1}}},
      .outputs = {{"command", {1, kSaid + 1}}},
      .constants = {constant("hidden_weights", joined.hidden.inputs, joined.hidden.outputs,
                             joined.hidden.weights),
                    constant("hidden_bias", 1, joined.hidden.outputs, joined.hidden.bias),
                    constant("said_weights", joined.said.inputs, joined.said.outputs,
                             joined.said.weights),
                    constant("said_bias", 1, joined.said.outputs, joined.said.bias),
                    MeanOfMembers(), TurnsFromMean(),
                    constant("share", kMembers, 1, std::vector<float>(kMembers, 1.0F / kMembers))},
      .nodes = {
          StandardNode("AveragePool", {"image"}, "blocks",
                       {{"kernel_shape", block}, {"strides", block}}),
          StandardNode("Flatten", {"blocks"}, "row", {{"axis", int64_t{1}}}),
          StandardNode("Concat", {"row", "speed"}, "features", {{"axis", int64_t{1}}}),
          StandardNode("Gemm", {"features", "hidden_weights", "hidden_bias"}, "sum"),
          StandardNode("Tanh", {"sum"}, "hidden"),
          StandardNode("Gemm", {"hidden", "said_weights", "said_bias"}, "said"),
          StandardNode("MatMul", {"said", "mean"}, "together"),
          StandardNode("MatMul", {"said", "apart"}, "deviation"),
          StandardNode("Mul", {"deviation", "deviation"}, "square"),
          StandardNode("MatMul", {"square", "share"}, "variance"),
          StandardNode("Sqrt", {"variance"}, "disagreement"),
          StandardNode("Concat", {"together", "disagreement"}, "command", {{"axis", int64_t{1}}})}};
  return WriteOnnx(graph);
}

}  // namespace gatekeeper::sim
