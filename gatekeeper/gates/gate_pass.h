#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "agent/base/digest.h"
#include "proto/gates.pb.h"

namespace gatekeeper::bundle {
class UngatedUnit;
}

namespace gatekeeper::gates {

class Judgement;

// Proof that every gate of a suite held for exactly these bytes. Only a judgement of evidence makes
// one (RunSuite, MergeShards), and only when the outcome is PASS; whoever signs a unit must hold
// one.
class GatePass {
 public:
  const v1::GateReport& report() const { return report_; }
  const std::string& unit_folder() const { return unit_folder_; }
  // SHA-256 of the unit's manifest.json as it was when the gates ran.
  const agent::base::Digest& digest() const { return digest_; }

 private:
  friend class Judgement;
  GatePass(v1::GateReport report, std::string unit_folder, const agent::base::Digest& digest)
      : report_(std::move(report)), unit_folder_(std::move(unit_folder)), digest_(digest) {}

  v1::GateReport report_;
  std::string unit_folder_;
  agent::base::Digest digest_;
};

}  // namespace gatekeeper::gates
