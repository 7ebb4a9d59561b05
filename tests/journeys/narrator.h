#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gatekeeper/server/receipt_cursor.h"
#include "tests/journeys/world.h"

namespace tests::journeys {

// Tells what changed since the last step, one line each: "   12.35  r1         drives nav@1.1.0 in
// NOMINAL".
class Narrator {
 public:
  explicit Narrator(World& world) : world_(world) {}

  // Call after every step.
  std::vector<std::string> Tell();
  // From now on the receipts of this rollback are told as they come.
  void Follow(const std::string& incident, Nanos patience);

 private:
  struct Robotwise {
    std::string process;
    std::string link;
    std::string life;
    std::string drive;
  };
  void TellRobot(Robot& robot);
  void TellFetched(Robot& robot);
  void TellRollout();
  void TellReceipts();
  void Change(const std::string& who, std::string& known, const std::string& now);
  void Say(const std::string& who, const std::string& what);
  std::string LifeOf(const Robot& robot) const;
  std::string DriveOf(const Robot& robot) const;

  World& world_;
  std::map<std::string, Robotwise> robots_;
  std::string rollout_;
  std::optional<gatekeeper::server::ReceiptCursor> receipts_;
  std::vector<std::string> lines_;
};

}  // namespace tests::journeys
