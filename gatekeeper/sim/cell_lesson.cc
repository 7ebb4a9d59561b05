#include "gatekeeper/sim/cell_lesson.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "agent/runtime/kinematics.h"
#include "gatekeeper/sim/network.h"
#include "gatekeeper/sim/onnx_writer.h"
#include "gatekeeper/sim/picture.h"
#include "gatekeeper/sim/random.h"

namespace gatekeeper::sim {
namespace {

using agent::runtime::Vec3;

constexpr double kPixelM = 0.02 / 3;
constexpr double kNearX = 0.25;  // of the picture's edge
constexpr double kRightY = -0.5 * kTableSide * kPixelM;
constexpr double kPartM = 0.02;
constexpr double kTable = 0.3;
constexpr double kPart = 0.9;
constexpr double kGrain = 0.02;
constexpr double kAboveM = 0.25;  // the fingers' height: over the vice's jaws

constexpr size_t kJoints = 6;
constexpr size_t kTableBlock = 8;  // pixels a side
constexpr size_t kTableBlocks = kTableSide / kTableBlock * (kTableSide / kTableBlock);
constexpr float kTableGain = 12;  // a whole part raises its block's mean by 0.08
constexpr size_t kFinderWidth = 24;
constexpr int kTablePictures = 6000;
constexpr uint64_t kCellSeed = 800;

// 0.2 rad/s at most: the tool's 0.25 m/s stretched out, with two joints moving.
constexpr float kStepRad = 0.004F;
constexpr float kSteepness = 12;  // slows down within 0.1 rad of the goal
constexpr float kAheadS = 0.05F;  // counts where a joint will be when it has braked

using Angles = std::array<double, 3>;  // base, shoulder, elbow

std::vector<double> PointingDown(const Angles& at) {
  constexpr double kQuarter = 1.5707963267948966;
  return {at[0], at[1], at[2], -kQuarter - at[1] - at[2], -kQuarter, 0};
}

double Determinant(const Vec3& a, const Vec3& b, const Vec3& c) {
  return a.x * (b.y * c.z - b.z * c.y) - b.x * (a.y * c.z - a.z * c.y) +
         c.x * (a.y * b.z - a.z * b.y);
}

void AddTableExample(const agent::runtime::Policy& policy, const TableView& view, Dataset& data) {
  for (const float mean : BlockMeans(TablePicture(view), kTableSide, {kTableBlock, kTableBlock})) {
    data.features.push_back((mean - static_cast<float>(kTable)) * kTableGain);
  }
  // Nothing there: over the middle, to see more of it.
  const std::vector<double> goal =
      view.part ? JointsAbove(policy, view.x_m, view.y_m) : JointsAbove(policy, TableView().x_m, 0);
  for (const double q : goal) data.targets.push_back(static_cast<float>(q));
  data.targets.push_back(view.part ? 1.0F : 0.0F);
}

Network TrainFinder(const agent::runtime::Policy& policy) {
  Random random(kCellSeed);
  Dataset data{.inputs = kTableBlocks, .outputs = kJoints + 1, .features = {}, .targets = {}};
  constexpr double kEdge = kPartM;  // a part that is half out of the picture is not looked for
  for (int i = 0; i < kTablePictures; ++i) {
    TableView view{.part = random.Below(6) != 0,
                   .x_m = random.Uniform(kNearX + kEdge, kNearX + kTableSide * kPixelM - kEdge),
                   .y_m = random.Uniform(kRightY + kEdge, -kRightY - kEdge),
                   .seed = random.Next()};
    AddTableExample(policy, view, data);
  }
  return Network::Train(
      data, {.hidden = {kFinderWidth}, .epochs = 60, .learning_rate = 4e-3F, .seed = kCellSeed});
}

// The columns `from` to `to` of a layer, as constants of the graph.
void AddColumns(const DenseLayer& layer, size_t from, size_t to, const std::string& name,
                OnnxGraph& graph) {
  const auto all = static_cast<size_t>(layer.outputs);
  const auto width = static_cast<int64_t>(to - from);
  OnnxConstant weights{name + "_weights", {layer.inputs, width}, {}};
  for (size_t row = 0; row < static_cast<size_t>(layer.inputs); ++row) {
    for (size_t i = from; i < to; ++i) weights.data.push_back(layer.weights[row * all + i]);
  }
  OnnxConstant bias{name + "_bias", {1, width}, {}};
  for (size_t i = from; i < to; ++i) bias.data.push_back(layer.bias[i]);
  graph.constants.push_back(std::move(weights));
  graph.constants.push_back(std::move(bias));
}

// What brings the block means to about 0 to 1, within the weights.
DenseLayer OnRawBlocks(DenseLayer layer) {
  for (size_t i = 0; i < layer.weights.size(); ++i) {
    layer.weights[i] *= kTableGain;
    layer.bias[i % kFinderWidth] -= layer.weights[i] * static_cast<float>(kTable);
  }
  return layer;
}

// From [1, 2 * kJoints] of angle and speed, joint after joint: angle + seconds * speed.
OnnxConstant AngleIn(const char* name, float seconds) {
  OnnxConstant pick{name, {2 * kJoints, kJoints}, {}};
  pick.data.assign(2 * kJoints * kJoints, 0.0F);
  for (size_t joint = 0; joint < kJoints; ++joint) {
    pick.data[joint * kJoints + joint] = 1;
    pick.data[(kJoints + joint) * kJoints + joint] = seconds;
  }
  return pick;
}

}  // namespace

std::string TablePicture(const TableView& view) {
  Random random(view.seed);
  std::string picture;
  picture.reserve(kTableSide * kTableSide);
  for (size_t row = 0; row < kTableSide; ++row) {
    const double x = kNearX + static_cast<double>(row) * kPixelM;
    for (size_t column = 0; column < kTableSide; ++column) {
      const double y = kRightY + static_cast<double>(column) * kPixelM;
      const double share =
          view.part ? Covered(x, kPixelM, view.x_m - kPartM / 2, view.x_m + kPartM / 2) *
                          Covered(y, kPixelM, view.y_m - kPartM / 2, view.y_m + kPartM / 2)
                    : 0;
      picture.push_back(GreyByte(kTable + (kPart - kTable) * share + random.Normal(kGrain)));
    }
  }
  return picture;
}

std::vector<double> JointsAbove(const agent::runtime::Policy& policy, double x_m, double y_m) {
  const auto tool = [&policy](const Angles& at) {
    return agent::runtime::ToolPoint(policy.arm().chain, PointingDown(at));
  };
  // Newton's way from above the middle of the table; eight steps take it to a micrometre.
  Angles at = {0, 1.2, -1.8};
  for (int step = 0; step < 8; ++step) {
    constexpr double kSmall = 1e-6;
    const Vec3 here = tool(at);
    std::array<Vec3, 3> slope;
    for (size_t i = 0; i < 3; ++i) {
      Angles beside = at;
      beside[i] += kSmall;
      const Vec3 there = tool(beside);
      slope[i] = {(there.x - here.x) / kSmall, (there.y - here.y) / kSmall,
                  (there.z - here.z) / kSmall};
    }
    const Vec3 way = {x_m - here.x, y_m - here.y, kAboveM - here.z};
    const double whole = Determinant(slope[0], slope[1], slope[2]);
    at[0] += Determinant(way, slope[1], slope[2]) / whole;
    at[1] += Determinant(slope[0], way, slope[2]) / whole;
    at[2] += Determinant(slope[0], slope[1], way) / whole;
  }
  return PointingDown(at);
}

std::string TrainCellModel(const agent::runtime::Policy& policy) {
  const Network finder = TrainFinder(policy);
  const std::vector<int64_t> block = {kTableBlock, kTableBlock};
  OnnxGraph graph{
      .inputs = {{"image", {1, 1, kTableSide, kTableSide}}, {"joints", {1, 2 * kJoints}}},
      .outputs = {{"targets", {1, kJoints + 1}}},
      .constants = {AngleIn("now", 0),
                    AngleIn("soon", kAheadS),
                    {"steepness", {1, 1}, {kSteepness}},
                    {"step", {1, 1}, {kStepRad}}},
      .nodes = {StandardNode("AveragePool", {"image"}, "blocks",
                             {{"kernel_shape", block}, {"strides", block}}),
                StandardNode("Flatten", {"blocks"}, "row", {{"axis", int64_t{1}}}),
                StandardNode("Gemm", {"row", "find_weights", "find_bias"}, "sum"),
                StandardNode("Tanh", {"sum"}, "found"),
                StandardNode("Gemm", {"found", "goal_weights", "goal_bias"}, "goal"),
                StandardNode("Gemm", {"found", "sure_weights", "sure_bias"}, "sure"),
                StandardNode("MatMul", {"joints", "now"}, "angle"),
                StandardNode("MatMul", {"joints", "soon"}, "coming"),
                StandardNode("Sub", {"goal", "coming"}, "way"),
                StandardNode("Mul", {"way", "steepness"}, "steep"),
                StandardNode("Tanh", {"steep"}, "bounded"),
                StandardNode("Mul", {"bounded", "step"}, "small"),
                StandardNode("Add", {"angle", "small"}, "next"),
                StandardNode("Concat", {"next", "sure"}, "targets", {{"axis", int64_t{1}}})}};
  AddColumns(OnRawBlocks(finder.layers()[0]), 0, kFinderWidth, "find", graph);
  AddColumns(finder.layers()[1], 0, kJoints, "goal", graph);
  AddColumns(finder.layers()[1], kJoints, kJoints + 1, "sure", graph);
  return WriteOnnx(graph);
}

}  // namespace gatekeeper::sim
