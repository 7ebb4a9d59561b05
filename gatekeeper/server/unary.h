#pragma once

#include "absl/status/statusor.h"
#include "gatekeeper/server/peer.h"
#include "grpcpp/support/server_callback.h"

namespace gatekeeper::server {

inline grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context,
                                        const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

// Ends a call with what was decided.
template <class Reply>
grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context,
                                 absl::StatusOr<Reply> decided, Reply* reply) {
  if (decided.ok()) *reply = *std::move(decided);
  return Finish(context, decided.status());
}

// A stream that was refused before it began; deletes itself.
template <class Reactor>
class Refused final : public Reactor {
 public:
  explicit Refused(const absl::Status& status) { this->Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace gatekeeper::server
