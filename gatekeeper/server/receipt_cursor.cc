#include "gatekeeper/server/receipt_cursor.h"

#include "absl/strings/str_format.h"

namespace gatekeeper::server {
namespace {

v1::RollbackReceipt Receipt(const incident::Facts& facts, const incident::RobotReturn& robot) {
  v1::RollbackReceipt receipt;
  receipt.set_robot(robot.robot);
  receipt.set_outcome(robot.outcome);
  receipt.set_unit(robot.wanted_unit);
  receipt.set_running_digest(robot.running_digest);
  receipt.set_seconds(robot.seconds);
  receipt.set_detail(robot.detail);
  receipt.set_incident(facts.id);
  return receipt;
}

}  // namespace

std::vector<v1::RollbackReceipt> ReceiptCursor::Take(const FleetCore& core, Moment now) {
  std::vector<v1::RollbackReceipt> receipts;
  if (done_) return receipts;
  const incident::Facts* facts = core.OpenIncident(incident_);
  absl::StatusOr<incident::Facts> closed;
  if (facts == nullptr) {
    closed = core.IncidentFacts(incident_);
    if (!closed.ok()) return receipts;  // the store is away for a moment; the next call asks again
    facts = &*closed;
  }
  const bool late = now.ms >= deadline_ms_;
  size_t back = 0, answered = 0;
  for (const incident::RobotReturn& robot : facts->robots) {
    back += robot.outcome == "running" || robot.outcome == "already";
    if (robot.outcome.empty() && !late) continue;
    ++answered;
    if (!given_.insert(robot.robot).second) continue;
    incident::RobotReturn told = robot;
    if (told.outcome.empty()) {
      told.outcome = "unreachable";
      told.seconds = static_cast<double>(now.wall_ms - facts->opened_ms) / 1000;
      told.detail = core.WhereIs(told.robot);
    }
    receipts.push_back(Receipt(*facts, told));
  }
  if (answered < facts->robots.size()) return receipts;
  done_ = true;
  v1::RollbackReceipt summary;
  summary.set_incident(facts->id);
  summary.set_complete(back == facts->robots.size());
  summary.set_seconds(static_cast<double>(now.wall_ms - facts->opened_ms) / 1000);
  summary.set_summary(absl::StrFormat("%d of %d robots report the wanted unit running", back,
                                      facts->robots.size()));
  receipts.push_back(std::move(summary));
  return receipts;
}

}  // namespace gatekeeper::server
