#include "agent/daemon/bulk_link.h"

#include <chrono>

#include "agent/base/status_macros.h"
#include "agent/daemon/channel.h"

namespace agent::daemon {
namespace {

namespace v1 = ::gatekeeper::v1;
using std::chrono::seconds;

constexpr seconds kPapersDeadline(10);
// A transfer that stalled is found out by then; a slow one just goes on from where it stands.
constexpr seconds kBlobDeadline(60);

}  // namespace

class BulkLink::UnderWay {
 public:
  UnderWay(BulkLink& link, seconds deadline) : link_(link) {
    context_.set_deadline(std::chrono::system_clock::now() + deadline);
    const std::lock_guard lock(link_.mutex_);
    link_.under_way_ = &context_;
  }
  ~UnderWay() {
    const std::lock_guard lock(link_.mutex_);
    link_.under_way_ = nullptr;
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  grpc::ClientContext* context() { return &context_; }

 private:
  BulkLink& link_;
  grpc::ClientContext context_;
};

absl::StatusOr<v1::AgentLink::Stub*> BulkLink::Stub() {
  const absl::StatusOr<Credentials> credentials = store_.Load(clock_.WallMs());
  if (!credentials.ok()) {
    return absl::UnavailableError(std::string(credentials.status().message()));
  }
  if (!stub_ || credentials->certificate_pem != certificate_pem_) {
    stub_ = v1::AgentLink::NewStub(OpenChannel(address_, *credentials));
    certificate_pem_ = credentials->certificate_pem;
  }
  return stub_.get();
}

absl::StatusOr<v1::UnitPapers> BulkLink::GetUnit(const std::string& digest) {
  ASSIGN_OR_RETURN(v1::AgentLink::Stub* const stub, Stub());
  UnderWay call(*this, kPapersDeadline);
  v1::GetUnitRequest request;
  request.set_digest(digest);
  v1::UnitPapers papers;
  RETURN_IF_ERROR(FromGrpc(stub->GetUnit(call.context(), request, &papers), address_));
  return papers;
}

absl::Status BulkLink::FetchBlob(const std::string& sha256, uint64_t offset,
                                 const lifecycle::Sink& sink) {
  ASSIGN_OR_RETURN(v1::AgentLink::Stub* const stub, Stub());
  UnderWay call(*this, kBlobDeadline);
  v1::FetchBlobRequest request;
  request.set_sha256(sha256);
  request.set_offset(offset);
  const auto reader = stub->FetchBlob(call.context(), request);
  absl::Status taken;
  v1::BlobChunk chunk;
  while (taken.ok() && reader->Read(&chunk)) taken = sink(chunk.data());
  if (!taken.ok()) call.context()->TryCancel();
  const grpc::Status status = reader->Finish();
  return taken.ok() ? FromGrpc(status, address_) : taken;
}

void BulkLink::Cancel() {
  const std::lock_guard lock(mutex_);
  if (under_way_ != nullptr) under_way_->TryCancel();
}

}  // namespace agent::daemon
