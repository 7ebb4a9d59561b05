#pragma once

#include <deque>

#include "gatekeeper/server/hub.h"
#include "gatekeeper/server/receipt_cursor.h"
#include "grpcpp/support/server_callback.h"
#include "proto/fleet.pb.h"

namespace gatekeeper::server {

// One Operator.Rollback call: receipts as robots report. Deletes itself. Whoever hangs up loses
// only the receipts: the order stands and the incident keeps them.
class ReceiptStream final : public grpc::ServerWriteReactor<v1::RollbackReceipt> {
 public:
  // Decides the rollback before anything else, then reads out the receipts.
  ReceiptStream(Hub& hub, const v1::RollbackRequest& request, const std::string& actor);

  // Hold the hub's lock.
  void SendReceipts();

 private:
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void Write();
  void End(const grpc::Status& status);

  Hub& hub_;
  ReceiptCursor cursor_;
  bool ended_ = false;
  bool writing_ = false;
  v1::RollbackReceipt writing_receipt_;
  std::deque<v1::RollbackReceipt> waiting_;
};

}  // namespace gatekeeper::server
