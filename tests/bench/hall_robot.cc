#include "tests/bench/hall_robot.h"

#include <cmath>
#include <numbers>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/sim/onnx_writer.h"
#include "tests/bench/measure.h"
#include "tests/support/nav_release.h"

namespace bench {
namespace {

namespace v1 = gatekeeper::v1;
using gatekeeper::sim::Activation;
using gatekeeper::sim::DenseLayer;

constexpr int64_t kOtherFeatures = 4;  // goal bearing and range, speed and turn rate
constexpr double kHalfView_rad = 2.3562;

DenseLayer RandomLayer(std::minstd_rand& random, int64_t inputs, int64_t outputs, float scale) {
  DenseLayer layer{.inputs = inputs,
                   .outputs = outputs,
                   .weights = {},
                   .bias = std::vector<float>(static_cast<size_t>(outputs), 0.0F),
                   .activation = Activation::kRelu};
  for (int64_t i = 0; i < inputs * outputs; ++i) {
    const float unit = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
    layer.weights.push_back(unit * scale / static_cast<float>(inputs));
  }
  return layer;
}

std::shared_ptr<const agent::runtime::UnitRules> Rules(const std::string& card,
                                                       const std::string& policy) {
  return Must(agent::runtime::LoadRules(card, policy, tests::NavFile("fallback_rules.yaml")));
}

}  // namespace

Network MakeNetwork(const std::vector<int64_t>& shape, int64_t hidden, int64_t outputs) {
  std::minstd_rand random(7);
  agent::base::TensorSpec features{.name = "features", .shape = {1}};
  features.shape.insert(features.shape.end(), shape.begin(), shape.end());
  const auto inputs = static_cast<int64_t>(features.elements());
  gatekeeper::sim::Mlp mlp{
      .inputs = {{features.name, features.shape}}, .layers = {}, .output = "command"};
  mlp.layers.push_back(RandomLayer(random, inputs, hidden, 1.0F));
  mlp.layers.push_back(RandomLayer(random, hidden, hidden, 1.0F));
  mlp.layers.push_back(RandomLayer(random, hidden, outputs, 1e-3F));
  mlp.layers.back().activation = Activation::kNone;
  mlp.layers.back().bias[0] = 0.3F;
  return {.name = absl::StrFormat("%d-%d-%d-%d", inputs, hidden, hidden, outputs),
          .inputs = inputs,
          .hidden = hidden,
          .outputs = outputs,
          .onnx = WriteOnnx(MlpGraph(mlp)),
          .tensors = {.inputs = {features}, .outputs = {{"command", {1, outputs}}}}};
}

Documents HallDocuments(int64_t inputs) {
  const std::string sectors = absl::StrCat("sectors: ", inputs - kOtherFeatures);
  return {{agent::trust::kCardFile,
           tests::Edit(tests::NavFile("card-1.3.0.yaml"), "sectors: 24", sectors)},
          {agent::trust::kPolicyFile, tests::NavFile("control_policy.yaml")},
          {agent::trust::kFallbackFile, tests::NavFile("fallback_rules.yaml")}};
}

std::shared_ptr<const agent::runtime::UnitRules> HallRules(int64_t inputs) {
  return Rules(HallDocuments(inputs).at(agent::trust::kCardFile),
               tests::NavFile("control_policy.yaml"));
}

std::shared_ptr<const agent::runtime::UnitRules> ManyCorneredRules() {
  constexpr int kCorners = 32;
  std::string polygon;
  for (int i = 0; i < kCorners; ++i) {
    const double angle = 2 * std::numbers::pi * i / kCorners;
    absl::StrAppendFormat(&polygon, "%s[%.3f, %.3f]", i == 0 ? "" : ", ", 10 + 10 * std::cos(angle),
                          6 + 6 * std::sin(angle));
  }
  return Rules(tests::NavFile("card-1.3.0.yaml"),
               tests::Edit(tests::NavFile("control_policy.yaml"),
                           "[0, 0], [20, 0], [20, 12], [0, 12]", polygon));
}

v1::Observation HallPacket(int beams, float range_m) {
  v1::Observation packet;
  packet.set_want_command(true);
  packet.set_network_up(true);
  v1::LaserScan& scan = *packet.mutable_scan();
  scan.set_angle_min_rad(-kHalfView_rad);
  scan.set_angle_increment_rad(2 * kHalfView_rad / (beams - 1));
  for (int i = 0; i < beams; ++i) {
    scan.add_ranges_m(range_m + 0.001F * static_cast<float>(i * 37 % 11));
  }
  packet.mutable_odom()->set_x_m(10);
  packet.mutable_odom()->set_y_m(6);
  packet.mutable_odom()->set_vx_mps(0.3);
  (*packet.mutable_signals())["goal_bearing_rad"].set_value(0.1);
  (*packet.mutable_signals())["goal_range_m"].set_value(4);
  return packet;
}

void Stamp(v1::Observation& packet, agent::base::Nanos now) {
  packet.set_seq(packet.seq() + 1);
  packet.set_stamp_ns(now.count());
  packet.mutable_scan()->set_stamp_ns(now.count());
  packet.mutable_odom()->set_stamp_ns(now.count());
  for (auto& [name, signal] : *packet.mutable_signals()) signal.set_stamp_ns(now.count());
}

}  // namespace bench
