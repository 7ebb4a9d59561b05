#pragma once

#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/model.h"
#include "agent/base/yaml_document.h"
#include "agent/runtime/unit_rules.h"
#include "gtest/gtest.h"
#include "proto/fallback.pb.h"
#include "proto/policy.pb.h"
#include "proto/robot.pb.h"
#include "proto/unit.pb.h"

// The demo robot's own policy files, a model that says what a test tells it to, and observations of
// a robot that stands in the middle of the hall.

namespace tests {

namespace v1 = ::gatekeeper::v1;
using agent::base::Nanos;
using std::chrono::milliseconds;

inline std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path << ": run from the root of the checkout";
  return {std::istreambuf_iterator<char>(file), {}};
}

// One of the policy files that are shipped, such as "nav/control_policy.yaml".
template <class Message>
Message Document(const std::string& name, const std::string& schema) {
  Message document;
  const auto map = agent::base::ReadYaml(TextOf("policies/" + name), name, schema, document);
  EXPECT_TRUE(map.ok()) << map.status();
  return document;
}

inline v1::ControlPolicy NavPolicyDocument() {
  return Document<v1::ControlPolicy>("nav/control_policy.yaml", "control_policy/1");
}

inline v1::FallbackRules NavFallbackDocument() {
  return Document<v1::FallbackRules>("nav/fallback_rules.yaml", "fallback_rules/1");
}

inline agent::runtime::Policy Compiled(const v1::ControlPolicy& document) {
  auto policy = agent::runtime::Policy::Compile(document);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

inline v1::ModelCard NavCard() {
  v1::ModelCard card;
  card.set_schema("model_card/1");
  v1::InputBinding& scan = *card.add_inputs();
  scan.set_tensor("features");
  scan.set_channel("scan");
  scan.mutable_scan()->set_sectors(4);
  scan.mutable_scan()->set_from_rad(-2);
  scan.mutable_scan()->set_to_rad(2);
  scan.mutable_scan()->set_range_max_m(8);
  for (const char* signal : {"goal_bearing_rad", "goal_range_m"}) {
    v1::InputBinding& input = *card.add_inputs();
    input.set_tensor("features");
    input.set_channel(signal);
  }
  v1::InputBinding& odom = *card.add_inputs();
  odom.set_tensor("features");
  odom.set_channel("odom");
  odom.add_fields("vx_mps");
  uint32_t index = 0;
  for (const char* field : {"vx_mps", "wz_radps"}) {
    v1::OutputBinding& output = *card.add_outputs();
    output.set_tensor("command");
    output.set_index(index++);
    output.set_field(field);
  }
  return card;
}

// Turns a policy for wheels into one for an arm: links of 0.3 m in a plane, joints of 1 rad/s that
// stop within a millisecond, and a tool that is never too fast.
inline void MakeArm(v1::ControlPolicy& policy, const std::vector<std::string>& joints) {
  policy.set_robot_class("arm");
  policy.mutable_command()->set_type("joints");
  policy.mutable_command()->mutable_fields()->Assign(joints.begin(), joints.end());
  const v1::InputRule rule = policy.inputs().at("odom");
  (*policy.mutable_inputs())["joints"] = rule;
  policy.mutable_limits()->clear_nominal();
  policy.mutable_limits()->clear_transition();
  policy.mutable_limits()->clear_degraded();
  policy.clear_envelope();
  policy.clear_footprint();
  policy.clear_separation();
  policy.clear_requirements();
  for (const std::string& name : joints) {
    v1::JointLimit& joint = (*policy.mutable_joints())[name];
    joint.set_q_min_rad(-1);
    joint.set_q_max_rad(2);
    joint.set_qd_abs_max_radps(1);
    joint.set_qdd_abs_max_radps2(1000);
    policy.mutable_arm()->add_chain()->set_a_m(0.3);
  }
  policy.mutable_arm()->set_tcp_v_max_mps(1);
  policy.mutable_arm()->set_degraded_scale(0.5);
  policy.mutable_arm()->set_transition_for_ms(500);
}

// Joints brake by the policy's own limits.
inline void StopAsJointsDo(v1::FallbackRules& rules) {
  for (auto& [name, state] : *rules.mutable_states()) {
    state.clear_dec_mps2();
    state.clear_jerk_mps3();
  }
}

// Answers with what stands in `says`, or fails as told.
class FakeModel final : public agent::base::Model {
 public:
  explicit FakeModel(agent::base::ModelSignature signature) : signature_(std::move(signature)) {
    for (const auto& tensor : signature_.inputs) inputs_.emplace_back(tensor.elements());
    for (const auto& tensor : signature_.outputs) outputs_.emplace_back(tensor.elements());
    says.assign(outputs_[0].size(), 0.0F);
  }
  const agent::base::ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t index) override { return inputs_[index]; }
  std::span<const float> output(size_t index) const override { return outputs_[index]; }
  agent::base::RunOutcome Run(Nanos) override {
    ++runs;
    outputs_[0] = says;
    return outcome;
  }
  Nanos took() const override { return std::chrono::microseconds(70); }
  void Shorten(size_t input) { inputs_[input].pop_back(); }

  std::vector<float> says;
  agent::base::RunOutcome outcome = agent::base::RunOutcome::kDone;
  int runs = 0;

 private:
  agent::base::ModelSignature signature_;
  std::vector<std::vector<float>> inputs_;
  std::vector<std::vector<float>> outputs_;
};

// A pilot with its model, under the nav rules after `edit`.
struct Unit {
  using Edit = std::function<void(v1::ControlPolicy&, v1::FallbackRules&, v1::ModelCard&)>;

  explicit Unit(const std::string& digest, const Edit& edit = {}) {
    v1::ControlPolicy policy = NavPolicyDocument();
    v1::FallbackRules fallback = NavFallbackDocument();
    v1::ModelCard card = NavCard();
    if (edit) edit(policy, fallback, card);
    auto compiled = agent::runtime::Policy::Compile(policy);
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    auto rules = agent::runtime::Fallback::Compile(fallback, *compiled);
    EXPECT_TRUE(rules.ok()) << rules.status();
    auto signature = agent::runtime::SignatureFor(card, *compiled);
    EXPECT_TRUE(signature.ok()) << signature.status();
    auto binding = agent::runtime::Binding::Compile(card, *compiled, *signature);
    EXPECT_TRUE(binding.ok()) << binding.status();
    model = std::make_unique<FakeModel>(*signature);
    pilot = std::make_unique<agent::runtime::Pilot>(
        agent::runtime::Pilot{.digest = digest,
                              .rules = std::make_shared<const agent::runtime::UnitRules>(
                                  agent::runtime::UnitRules{*compiled, *rules, card}),
                              .binding = *binding,
                              .model = model.get()});
  }

  std::unique_ptr<FakeModel> model;
  std::unique_ptr<agent::runtime::Pilot> pilot;
};

constexpr Nanos kStartOfTime = std::chrono::hours(1);
constexpr Nanos kPeriod = milliseconds(50);

// Everything the nav unit reads, of a robot at (10, 4.5) that looks along x, free for 5 m around.
inline v1::Observation Packet(Nanos now) {
  v1::Observation packet;
  packet.set_stamp_ns(now.count());
  packet.set_want_command(true);
  packet.set_network_up(true);
  v1::LaserScan& scan = *packet.mutable_scan();
  scan.set_angle_min_rad(-2);
  scan.set_angle_increment_rad(0.04);
  for (int i = 0; i <= 100; ++i) scan.add_ranges_m(5.0F);
  v1::Odometry& odom = *packet.mutable_odom();
  odom.set_x_m(10);
  odom.set_y_m(4.5);
  (*packet.mutable_signals())["goal_bearing_rad"].set_value(0.25);
  (*packet.mutable_signals())["goal_range_m"].set_value(3);
  return packet;
}

// Puts an obstacle into the scan: returns of `range_m` in the 20 middle beams.
inline void PutAhead(v1::Observation& packet, float range_m) {
  for (int i = 41; i <= 60; ++i) packet.mutable_scan()->set_ranges_m(i, range_m);
}

}  // namespace tests
