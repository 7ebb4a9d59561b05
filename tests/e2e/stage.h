#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "proto/fleet.grpc.pb.h"
#include "tests/e2e/process.h"
#include "tests/support/git_folder.h"
#include "tests/support/temp_folder.h"

namespace tests {

// A team's repository, a small scenario library and a gatekeeper's home, made with the real
// programs; `gatekeeper serve` on free ports of loopback. Make one a test program: it takes a
// second.
class Stage {
 public:
  // Versions that the repository holds a release spec of: 1.0.0 to 1.0.29. Even ones have the model
  // of nav-1.0.0, odd ones that of nav-1.1.0, and all are patient with a loaded machine.
  static constexpr int kReleases = 30;

  Stage();

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string home() const { return path("home"); }
  const GitFolder& repository() const { return repository_; }
  std::string suite() const { return path("suite.yaml"); }
  std::string scenarios() const { return path("scenarios"); }
  // Rollout plans with a second or two for each wave.
  std::string at_once() const { return path("at-once.yaml"); }
  std::string in_two_waves() const { return path("in-two-waves.yaml"); }

  // How "ada", the local operator, or "bo", the safety officer, signs approvals on a command line.
  std::vector<std::string> SignedBy(const std::string& name) const;

  // gatekeeper WORDS..., with this home and server.
  Finished Cli(const std::vector<std::string>& words) const;

  // Each makes what its name says through the command line, once, and returns the unit's folder.
  std::string BuiltUnit(const std::string& version);
  std::string SealedUnit(const std::string& version);
  // A sealed unit that the server has: its digest. The server must run.
  std::string PushedUnit(const std::string& version);
  // A version that was not asked for before.
  std::string NewVersion();

  // Starts the server; again on the same ports. Waits until it says that it serves.
  void Serve();
  Process& server() { return *server_; }
  std::string address() const { return address_; }
  std::string enrol_address() const { return enrol_address_; }

  // The server's view over gRPC with the operator's key; empty while it does not answer.
  gatekeeper::v1::RolloutView Rollout(const std::string& fleet) const;
  gatekeeper::v1::FleetView Fleet(const std::string& fleet) const;
  gatekeeper::v1::RobotView Robot(const std::string& fleet, const std::string& robot) const;

 private:
  void CommitReleases() const;

  TempFolder folder_;
  GitFolder repository_;
  std::unique_ptr<Process> server_;
  std::string address_ = "127.0.0.1:0";
  std::string enrol_address_ = "127.0.0.1:0";
  std::unique_ptr<gatekeeper::v1::Operator::Stub> operator_;
  int versions_ = 0;
};

// "nav@1.0.7"
std::string Title(const std::string& version);
// Hexadecimal SHA-256 of a unit folder's manifest.
std::string DigestOf(const std::string& unit_folder);

}  // namespace tests
