#pragma once

#include "gatekeeper/server/hub.h"
#include "proto/fleet.grpc.pb.h"

namespace gatekeeper::server {

// AgentLink: robots only.
class AgentLinkService final : public v1::AgentLink::CallbackService {
 public:
  explicit AgentLinkService(Hub& hub) : hub_(hub) {}

 private:
  grpc::ServerBidiReactor<v1::AgentMessage, v1::ServerMessage>* Connect(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* GetUnit(grpc::CallbackServerContext* context,
                                    const v1::GetUnitRequest* request,
                                    v1::UnitPapers* reply) override;
  grpc::ServerWriteReactor<v1::BlobChunk>* FetchBlob(grpc::CallbackServerContext* context,
                                                     const v1::FetchBlobRequest* request) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context,
                                  const v1::RenewRequest* request, v1::EnrolReply* reply) override;

  Hub& hub_;
};

// Enrolment: on its own port, for robots that have no certificate yet.
class EnrolmentService final : public v1::Enrolment::CallbackService {
 public:
  explicit EnrolmentService(Hub& hub) : hub_(hub) {}

 private:
  grpc::ServerUnaryReactor* Enrol(grpc::CallbackServerContext* context,
                                  const v1::EnrolRequest* request, v1::EnrolReply* reply) override;

  Hub& hub_;
};

}  // namespace gatekeeper::server
