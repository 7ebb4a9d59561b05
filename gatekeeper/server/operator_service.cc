#include "gatekeeper/server/operator_service.h"

#include "agent/base/status_macros.h"
#include "gatekeeper/server/peer.h"
#include "gatekeeper/server/receipt_stream.h"
#include "gatekeeper/server/unary.h"
#include "gatekeeper/server/unit_upload.h"

namespace gatekeeper::server {
namespace {

using PushReactor = grpc::ServerReadReactor<v1::PushUnitRequest>;

// One unit being pushed. Deletes itself; an upload that breaks off leaves nothing.
class PushStream final : public PushReactor {
 public:
  PushStream(Hub& hub, std::string actor, v1::PushUnitReply* reply)
      : hub_(hub), actor_(std::move(actor)), reply_(reply), upload_(hub.blobs, hub.trust) {
    StartRead(&part_);
  }

 private:
  void OnReadDone(bool ok) override {
    if (ok) {
      const absl::Status accepted = upload_.Accept(part_);
      if (!accepted.ok()) return Finish(ToGrpc(accepted));
      return StartRead(&part_);
    }
    if (cancelled_) return Finish(grpc::Status::CANCELLED);
    const std::lock_guard lock(hub_.mutex);
    absl::StatusOr<v1::PushUnitReply> known = upload_.Finish(hub_.store, actor_, hub_.Now());
    if (known.ok()) *reply_ = *std::move(known);
    Finish(ToGrpc(known.status()));
  }
  void OnCancel() override { cancelled_ = true; }
  void OnDone() override { delete this; }

  Hub& hub_;
  const std::string actor_;
  v1::PushUnitReply* reply_;
  UnitUpload upload_;
  v1::PushUnitRequest part_;
  std::atomic<bool> cancelled_ = false;
};

absl::StatusOr<v1::Empty> Nothing(const absl::Status& status) {
  RETURN_IF_ERROR(status);
  return v1::Empty();
}

}  // namespace

template <class Reply, class Decide>
grpc::ServerUnaryReactor* OperatorService::Answer(Context* context, Reply* reply, Decide decide) {
  const absl::StatusOr<std::string> actor = OperatorOf(*context);
  if (!actor.ok()) return Finish(context, actor.status());
  const std::lock_guard lock(hub_.mutex);
  absl::StatusOr<Reply> decided = decide(*actor, hub_.Now());
  hub_.Deliver();
  return Finish(context, std::move(decided), reply);
}

OperatorService::Unary* OperatorService::CreateFleet(Context* context,
                                                     const v1::CreateFleetRequest* request,
                                                     v1::Empty* reply) {
  return Answer(context, reply, [&](const std::string& actor, Moment now) {
    return Nothing(hub_.core.CreateFleet(request->name(), actor, now));
  });
}

OperatorService::Unary* OperatorService::CreateRobot(Context* context,
                                                     const v1::CreateRobotRequest* request,
                                                     v1::CreateRobotReply* reply) {
  const auto decide = [&](const std::string& actor,
                          Moment now) -> absl::StatusOr<v1::CreateRobotReply> {
    v1::CreateRobotReply made;
    ASSIGN_OR_RETURN(*made.mutable_ca_sha256(), hub_.enroller.AuthoritySha256());
    ASSIGN_OR_RETURN(*made.mutable_token(), hub_.core.CreateRobot(*request, actor, now));
    return made;
  };
  return Answer(context, reply, decide);
}

OperatorService::Unary* OperatorService::ShowFleet(Context* context,
                                                   const v1::ShowFleetRequest* request,
                                                   v1::FleetView* reply) {
  return Answer(context, reply, [&](const std::string&, Moment now) {
    return hub_.core.ViewFleet(request->fleet(), now);
  });
}

OperatorService::Unary* OperatorService::ListFleets(Context* context, const v1::Empty*,
                                                    v1::FleetList* reply) {
  return Answer(context, reply, [&](const std::string&, Moment) {
    return absl::StatusOr<v1::FleetList>(hub_.core.ListFleets());
  });
}

grpc::ServerReadReactor<v1::PushUnitRequest>* OperatorService::PushUnit(Context* context,
                                                                        v1::PushUnitReply* reply) {
  const absl::StatusOr<std::string> actor = OperatorOf(*context);
  if (!actor.ok()) return new Refused<PushReactor>(actor.status());
  return new PushStream(hub_, *actor, reply);
}

OperatorService::Unary* OperatorService::ListUnits(Context* context, const v1::Empty*,
                                                   v1::UnitList* reply) {
  return Answer(context, reply, [&](const std::string&, Moment) { return hub_.core.ListUnits(); });
}

OperatorService::Unary* OperatorService::StartRollout(Context* context,
                                                      const v1::StartRolloutRequest* request,
                                                      v1::RolloutState* reply) {
  return Answer(context, reply, [&](const std::string& actor, Moment now) {
    return hub_.core.StartRollout(*request, actor, now);
  });
}

OperatorService::Unary* OperatorService::GetRollout(Context* context,
                                                    const v1::GetRolloutRequest* request,
                                                    v1::RolloutView* reply) {
  return Answer(context, reply, [&](const std::string&, Moment now) {
    return hub_.core.ViewRollout(*request, now);
  });
}

OperatorService::Unary* OperatorService::AbortRollout(Context* context,
                                                      const v1::AbortRolloutRequest* request,
                                                      v1::RolloutState* reply) {
  return Answer(context, reply, [&](const std::string& actor, Moment now) {
    return hub_.core.AbortRollout(*request, actor, now);
  });
}

grpc::ServerWriteReactor<v1::RollbackReceipt>* OperatorService::Rollback(
    Context* context, const v1::RollbackRequest* request) {
  const absl::StatusOr<std::string> actor = OperatorOf(*context);
  if (actor.ok()) return new ReceiptStream(hub_, *request, *actor);
  return new Refused<grpc::ServerWriteReactor<v1::RollbackReceipt>>(actor.status());
}

OperatorService::Unary* OperatorService::ListIncidents(Context* context, const v1::Empty*,
                                                       v1::IncidentList* reply) {
  return Answer(context, reply,
                [&](const std::string&, Moment) { return hub_.core.ListIncidents(); });
}

OperatorService::Unary* OperatorService::ShowIncident(Context* context,
                                                      const v1::ShowIncidentRequest* request,
                                                      v1::Incident* reply) {
  return Answer(context, reply, [&](const std::string&, Moment now) {
    return hub_.core.ShowIncident(request->id(), now);
  });
}

OperatorService::Unary* OperatorService::AcknowledgeRobot(
    Context* context, const v1::AcknowledgeRobotRequest* request, v1::Empty* reply) {
  return Answer(context, reply, [&](const std::string& actor, Moment now) {
    return Nothing(hub_.core.AcknowledgeRobot(*request, actor, now));
  });
}

OperatorService::Unary* OperatorService::GetRearm(Context* context,
                                                  const v1::GetRearmRequest* request,
                                                  v1::RearmView* reply) {
  return Answer(context, reply,
                [&](const std::string&, Moment) { return hub_.core.ViewRearm(request->robot()); });
}

OperatorService::Unary* OperatorService::ApproveRearm(Context* context,
                                                      const v1::ApproveRearmRequest* request,
                                                      v1::RearmView* reply) {
  return Answer(context, reply, [&](const std::string& actor, Moment now) {
    return hub_.core.ApproveRearm(*request, hub_.trust, actor, now);
  });
}

OperatorService::Unary* OperatorService::ReleaseUnit(Context* context,
                                                     const v1::ReleaseUnitRequest* request,
                                                     v1::Empty* reply) {
  return Answer(context, reply, [&](const std::string& actor, Moment now) {
    return Nothing(hub_.core.ReleaseUnit(*request, actor, now));
  });
}

OperatorService::Unary* OperatorService::ReadAudit(Context* context,
                                                   const v1::ReadAuditRequest* request,
                                                   v1::AuditList* reply) {
  return Answer(context, reply, [&](const std::string&, Moment) {
    return hub_.core.ReadAudit(request->after_seq());
  });
}

}  // namespace gatekeeper::server
