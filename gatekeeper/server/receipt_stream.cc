#include "gatekeeper/server/receipt_stream.h"

#include <algorithm>

#include "gatekeeper/server/peer.h"

namespace gatekeeper::server {
namespace {

constexpr uint32_t kUsualWaitMs = 10'000;  // a connected robot answers within two seconds
constexpr uint32_t kMostWaitMs = 3'600'000;

}  // namespace

ReceiptStream::ReceiptStream(Hub& hub, const v1::RollbackRequest& request, const std::string& actor)
    : hub_(hub), cursor_("", 0) {
  const std::lock_guard lock(hub_.mutex);
  const Moment now = hub_.Now();
  const absl::StatusOr<std::string> incident = hub_.core.Rollback(request, actor, now);
  if (!incident.ok()) {
    End(ToGrpc(incident.status()));
    return;
  }
  const uint32_t wait = request.wait_ms() == 0 ? kUsualWaitMs : request.wait_ms();
  cursor_ = ReceiptCursor(*incident, now.ms + std::min(wait, kMostWaitMs));
  hub_.rollbacks.insert(this);
  hub_.Deliver();
}

void ReceiptStream::SendReceipts() {
  for (v1::RollbackReceipt& receipt : cursor_.Take(hub_.core, hub_.Now())) {
    waiting_.push_back(std::move(receipt));
  }
  Write();
}

void ReceiptStream::Write() {
  if (writing_ || ended_) return;
  if (!waiting_.empty()) {
    writing_receipt_ = std::move(waiting_.front());
    waiting_.pop_front();
    writing_ = true;
    StartWrite(&writing_receipt_);
  } else if (cursor_.done()) {
    End(grpc::Status::OK);
  }
}

void ReceiptStream::End(const grpc::Status& status) {
  if (ended_) return;
  ended_ = true;
  Finish(status);
}

void ReceiptStream::OnWriteDone(bool ok) {
  const std::lock_guard lock(hub_.mutex);
  writing_ = false;
  if (ok) return Write();
  End(grpc::Status::CANCELLED);
}

void ReceiptStream::OnCancel() {
  const std::lock_guard lock(hub_.mutex);
  End(grpc::Status::CANCELLED);
}

void ReceiptStream::OnDone() {
  {
    const std::lock_guard lock(hub_.mutex);
    hub_.rollbacks.erase(this);
  }
  delete this;
}

}  // namespace gatekeeper::server
