#pragma once

#include <string>

#include "agent/daemon/bulk_link.h"
#include "agent/daemon/orders_link.h"
#include "agent/lifecycle/links.h"

namespace agent::daemon {

// The real gatekeeper: orders over one connection, bulk over another.
class GrpcGatekeeperLink final : public lifecycle::GatekeeperLink {
 public:
  GrpcGatekeeperLink(OrdersLink& orders, BulkLink& bulk) : orders_(orders), bulk_(bulk) {}

  absl::Status Send(const gatekeeper::v1::AgentMessage& message) override {
    return orders_.Send(message);
  }
  absl::StatusOr<gatekeeper::v1::UnitPapers> GetUnit(const std::string& digest) override {
    return bulk_.GetUnit(digest);
  }
  absl::Status FetchBlob(const std::string& sha256, uint64_t offset,
                         const lifecycle::Sink& sink) override {
    return bulk_.FetchBlob(sha256, offset, sink);
  }

 private:
  OrdersLink& orders_;
  BulkLink& bulk_;
};

}  // namespace agent::daemon
