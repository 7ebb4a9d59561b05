#include "gatekeeper/server/agent_link.h"

#include "agent/base/status_macros.h"
#include "gatekeeper/server/peer.h"
#include "gatekeeper/server/robot_stream.h"
#include "gatekeeper/server/unary.h"

namespace gatekeeper::server {
namespace {

constexpr size_t kChunkBytes = 256 * 1024;

using BlobReactor = grpc::ServerWriteReactor<v1::BlobChunk>;

// One file on its way to a robot: a chunk is read when the one before has been taken. Needs no
// lock.
class BlobStream final : public BlobReactor {
 public:
  BlobStream(std::unique_ptr<store::BlobReader> reader, uint64_t offset)
      : reader_(std::move(reader)), offset_(offset) {
    WriteNext();
  }

 private:
  void WriteNext() {
    absl::StatusOr<std::string> bytes = reader_->ReadAt(offset_, kChunkBytes);
    if (!bytes.ok() || bytes->empty()) return Finish(ToGrpc(bytes.status()));
    offset_ += bytes->size();
    chunk_.set_data(*std::move(bytes));
    StartWrite(&chunk_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) return WriteNext();
    Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

  std::unique_ptr<store::BlobReader> reader_;
  uint64_t offset_;
  v1::BlobChunk chunk_;
};

absl::StatusOr<std::unique_ptr<store::BlobReader>> OpenBlob(const grpc::ServerContextBase& context,
                                                            const store::BlobFolder& blobs,
                                                            const v1::FetchBlobRequest& request) {
  RETURN_IF_ERROR(RobotOf(context).status());
  return blobs.Read(request.sha256());
}

}  // namespace

grpc::ServerBidiReactor<v1::AgentMessage, v1::ServerMessage>* AgentLinkService::Connect(
    grpc::CallbackServerContext* context) {
  const absl::StatusOr<std::string> robot = RobotOf(*context);
  if (robot.ok()) return new RobotStream(hub_, *robot);
  return new Refused<grpc::ServerBidiReactor<v1::AgentMessage, v1::ServerMessage>>(robot.status());
}

grpc::ServerUnaryReactor* AgentLinkService::GetUnit(grpc::CallbackServerContext* context,
                                                    const v1::GetUnitRequest* request,
                                                    v1::UnitPapers* reply) {
  const absl::StatusOr<std::string> robot = RobotOf(*context);
  if (!robot.ok()) return Finish(context, robot.status());
  const std::lock_guard lock(hub_.mutex);
  absl::StatusOr<store::Unit> unit = hub_.store.FindUnit(request->digest());
  if (unit.ok()) *reply = std::move(unit->papers);
  return Finish(context, unit.status());
}

grpc::ServerWriteReactor<v1::BlobChunk>* AgentLinkService::FetchBlob(
    grpc::CallbackServerContext* context, const v1::FetchBlobRequest* request) {
  absl::StatusOr<std::unique_ptr<store::BlobReader>> reader =
      OpenBlob(*context, hub_.blobs, *request);
  if (!reader.ok()) return new Refused<BlobReactor>(reader.status());
  return new BlobStream(*std::move(reader), request->offset());
}

grpc::ServerUnaryReactor* AgentLinkService::Renew(grpc::CallbackServerContext* context,
                                                  const v1::RenewRequest* request,
                                                  v1::EnrolReply* reply) {
  const absl::StatusOr<std::string> robot = RobotOf(*context);
  if (!robot.ok()) return Finish(context, robot.status());
  const std::lock_guard lock(hub_.mutex);
  return Finish(context, hub_.enroller.Renew(*robot, request->csr_pem(), hub_.Now()), reply);
}

grpc::ServerUnaryReactor* EnrolmentService::Enrol(grpc::CallbackServerContext* context,
                                                  const v1::EnrolRequest* request,
                                                  v1::EnrolReply* reply) {
  const std::lock_guard lock(hub_.mutex);
  return Finish(context, hub_.enroller.Enrol(*request, hub_.Now()), reply);
}

}  // namespace gatekeeper::server
