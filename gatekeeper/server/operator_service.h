#pragma once

#include "gatekeeper/server/hub.h"
#include "proto/fleet.grpc.pb.h"

namespace gatekeeper::server {

// Operator: people and CI only, under the name in their certificate.
class OperatorService final : public v1::Operator::CallbackService {
 public:
  explicit OperatorService(Hub& hub) : hub_(hub) {}

 private:
  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* CreateFleet(Context*, const v1::CreateFleetRequest*, v1::Empty*) override;
  Unary* CreateRobot(Context*, const v1::CreateRobotRequest*, v1::CreateRobotReply*) override;
  Unary* ShowFleet(Context*, const v1::ShowFleetRequest*, v1::FleetView*) override;
  Unary* ListFleets(Context*, const v1::Empty*, v1::FleetList*) override;
  grpc::ServerReadReactor<v1::PushUnitRequest>* PushUnit(Context*, v1::PushUnitReply*) override;
  Unary* ListUnits(Context*, const v1::Empty*, v1::UnitList*) override;
  Unary* StartRollout(Context*, const v1::StartRolloutRequest*, v1::RolloutState*) override;
  Unary* GetRollout(Context*, const v1::GetRolloutRequest*, v1::RolloutView*) override;
  Unary* AbortRollout(Context*, const v1::AbortRolloutRequest*, v1::RolloutState*) override;
  grpc::ServerWriteReactor<v1::RollbackReceipt>* Rollback(Context*,
                                                          const v1::RollbackRequest*) override;
  Unary* ListIncidents(Context*, const v1::Empty*, v1::IncidentList*) override;
  Unary* ShowIncident(Context*, const v1::ShowIncidentRequest*, v1::Incident*) override;
  Unary* AcknowledgeRobot(Context*, const v1::AcknowledgeRobotRequest*, v1::Empty*) override;
  Unary* GetRearm(Context*, const v1::GetRearmRequest*, v1::RearmView*) override;
  Unary* ApproveRearm(Context*, const v1::ApproveRearmRequest*, v1::RearmView*) override;
  Unary* ReleaseUnit(Context*, const v1::ReleaseUnitRequest*, v1::Empty*) override;
  Unary* ReadAudit(Context*, const v1::ReadAuditRequest*, v1::AuditList*) override;

  // Who calls is settled first; then `decide(actor, now)` runs under the lock, and what it wants
  // sent is given out.
  template <class Reply, class Decide>
  Unary* Answer(Context* context, Reply* reply, Decide decide);

  Hub& hub_;
};

}  // namespace gatekeeper::server
