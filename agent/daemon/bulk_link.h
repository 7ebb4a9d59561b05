#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/daemon/credentials.h"
#include "agent/lifecycle/links.h"
#include "proto/fleet.grpc.pb.h"

namespace agent::daemon {

// Papers and files of units, over a connection of their own. Blocks; one thread, and Cancel from
// any.
class BulkLink {
 public:
  BulkLink(std::string address, CredentialStore& credentials, const base::Clock& clock)
      : address_(std::move(address)), store_(credentials), clock_(clock) {}

  absl::StatusOr<gatekeeper::v1::UnitPapers> GetUnit(const std::string& digest);
  // kUnavailable after 60 s at the latest; what came until then is kept by the sink.
  absl::Status FetchBlob(const std::string& sha256, uint64_t offset, const lifecycle::Sink& sink);
  // Ends the call that is under way, if there is one.
  void Cancel();

 private:
  // The call that Cancel may end, for as long as this lives.
  class UnderWay;

  absl::StatusOr<gatekeeper::v1::AgentLink::Stub*> Stub();

  const std::string address_;
  CredentialStore& store_;
  const base::Clock& clock_;
  std::string certificate_pem_;  // the one the connection was made with
  std::unique_ptr<gatekeeper::v1::AgentLink::Stub> stub_;
  std::mutex mutex_;
  grpc::ClientContext* under_way_ = nullptr;
};

}  // namespace agent::daemon
