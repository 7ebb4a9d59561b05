#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/trust/hash.h"
#include "agent/trust/trust_policy.h"
#include "proto/fleet.pb.h"
#include "proto/unit.pb.h"

namespace tests {

// Whole release units, really sealed: for tests of whatever receives, verifies or runs them.
// Link tests::sealed_unit.

// How the seal of a unit came about.
enum class Sealing {
  kSound,
  kNone,           // never sealed
  kFailedVerdict,  // sealed by the right keys, but the gates said FAILED
  kStrangersKey,   // a sound verdict, the unit signature by a key nobody here trusts
};

struct UnitRecipe {
  std::string name = "nav";
  std::string version = "1.0.0";
  std::vector<std::string> hardware = {"amr"};
  std::string model = "good";  // bytes of model/model.onnx: a marker for whoever fakes models
  Sealing sealing = Sealing::kSound;
  std::string golden = "";                        // bytes of model/golden.json; empty: none
  std::string policy_end = "";                    // more of the control policy, whole keys
  std::map<std::string, std::string> edits = {};  // of the documents: SmallRobotWith
  std::map<std::string, agent::trust::Digest> evidence = {};  // GateVerdict::others
};

struct SealedUnit {
  std::string digest;
  gatekeeper::v1::Manifest manifest;
  gatekeeper::v1::UnitPapers papers;
  std::map<std::string, std::string> files;  // path in the unit -> bytes

  std::string title() const { return manifest.name() + "@" + manifest.version(); }
};

// Of the documents of a SmallRobot; equal recipes have equal digests.
SealedUnit MakeUnit(const UnitRecipe& recipe);

// What the robots and the gatekeeper of these tests trust; the keys are made once a process.
const agent::trust::TrustPolicy& TestTrust();
// Signed by `name`: "ada", whom TestTrust lists as local_operator, or "bo", the safety_officer.
std::string TestApproval(const gatekeeper::v1::RearmChallenge& challenge, const std::string& name);
// Key ids of this process's keys, each with a name for people, so that printed text can be the same
// in every run.
std::map<std::string, std::string> TestKeyNames();

}  // namespace tests
