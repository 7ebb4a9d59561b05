#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/model.h"
#include "agent/runtime/unit_rules.h"
#include "proto/robot.pb.h"

// The demonstration's robot in the middle of its hall, under its own policy and rules, with
// networks of any width. Run from the root of the checkout.

namespace bench {

struct Network {
  std::string name;  // 28-64-64-2
  int64_t inputs = 0;
  int64_t hidden = 0;
  int64_t outputs = 0;
  std::string onnx;
  agent::base::ModelSignature tensors;  // whole
};

// Fixed weights; drives straight on at 0.3 m/s whatever it sees, so that every tick is a nominal
// one. The shape is that of its only input, behind the batch dimension.
Network MakeNetwork(const std::vector<int64_t>& shape, int64_t hidden, int64_t outputs);

// Of a unit, all but its model: path in the unit -> text.
using Documents = std::map<std::string, std::string>;

// policies/nav, with a card that fills `inputs` features: all but four are scan sectors.
Documents HallDocuments(int64_t inputs);
std::shared_ptr<const agent::runtime::UnitRules> HallRules(int64_t inputs);
// The same with an envelope of 32 corners.
std::shared_ptr<const agent::runtime::UnitRules> ManyCorneredRules();

// Scan over 270 degrees, odometry, goal. Every beam returns from about `range_m`.
gatekeeper::v1::Observation HallPacket(int beams, float range_m);
// The same robot a moment later: every stamp is `now`.
void Stamp(gatekeeper::v1::Observation& packet, agent::base::Nanos now);

}  // namespace bench
