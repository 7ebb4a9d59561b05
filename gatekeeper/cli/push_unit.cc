#include "gatekeeper/cli/push_unit.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/unit.h"

namespace gatekeeper::cli {
namespace {

constexpr size_t kChunk =
    256 * 1024;  // below 64 KiB costs a quarter of the rate, above 1 MiB memory
constexpr size_t kMaxBundle = 1 << 20;

absl::StatusOr<v1::UnitPapers> ReadPapers(const agent::trust::IntactUnit& unit) {
  v1::UnitPapers papers;
  papers.set_manifest(unit.manifest_bytes());
  const std::string folder = unit.folder() + "/" + agent::trust::kSealFolder + "/";
  for (const char* name : {agent::trust::kUnitBundle, agent::trust::kVerdictBundle}) {
    auto bundle = agent::base::OsFiles().Read(folder + name, kMaxBundle);
    if (absl::IsNotFound(bundle.status())) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "%s is not sealed; a unit is sealed when it passes its gates: gatekeeper gate run %s "
          "--suite ... --scenarios ... --sign",
          unit.folder(), unit.folder()));
    }
    RETURN_IF_ERROR(bundle.status());
    (*papers.mutable_seal())[name] = *std::move(bundle);
  }
  return papers;
}

}  // namespace

absl::StatusOr<v1::PushUnitReply> PushUnit(const std::string& folder, const Session& session) {
  ASSIGN_OR_RETURN(const agent::trust::IntactUnit unit, agent::trust::VerifyFiles(folder));
  v1::PushUnitRequest request;
  ASSIGN_OR_RETURN(*request.mutable_papers(), ReadPapers(unit));
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::PushUnitReply reply;
  const auto stream = stub->PushUnit(&context, &reply);
  bool open = stream->Write(request);
  for (const v1::UnitFile& file : unit.manifest().files()) {
    ASSIGN_OR_RETURN(const std::string bytes, unit.Read(file.path()));
    for (size_t at = 0; open && at < bytes.size(); at += kChunk) {
      v1::BlobPart& blob = *request.mutable_blob();
      blob.set_sha256(file.sha256());
      blob.set_data(bytes.substr(at, std::min(kChunk, bytes.size() - at)));
      open = stream->Write(request);
    }
  }
  stream->WritesDone();
  const grpc::Status pushed = stream->Finish();
  if (pushed.error_code() == grpc::StatusCode::PERMISSION_DENIED) {
    // An operator may push; what was refused here are the unit's papers.
    return absl::PermissionDeniedError(pushed.error_message());
  }
  RETURN_IF_ERROR(FromRemote(pushed, session));
  return reply;
}

}  // namespace gatekeeper::cli
