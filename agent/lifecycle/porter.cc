#include "agent/lifecycle/porter.h"

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace agent::lifecycle {
namespace {

namespace v1 = ::gatekeeper::v1;

absl::Status CheckNames(const v1::Manifest& manifest, const v1::DesiredState& desired) {
  if (manifest.name() == desired.unit_name() && manifest.version() == desired.unit_version()) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrFormat(
      "the directive calls unit %s %s@%s, its manifest calls it %s@%s", desired.unit_digest(),
      desired.unit_name(), desired.unit_version(), manifest.name(), manifest.version()));
}

}  // namespace

absl::Status Porter::Run(const Task& task, const std::atomic<bool>& cancelled) {
  switch (task.kind) {
    case TaskKind::kGetPapers:
      return GetPapers(task);
    case TaskKind::kFindSpace: {
      ASSIGN_OR_RETURN(const v1::Manifest manifest, store_.Manifest(task.desired.unit_digest()));
      return store_.FindSpace(manifest, reserve_bytes_);
    }
    case TaskKind::kFetchFiles:
      return FetchFiles(task, cancelled);
    case TaskKind::kBuildSlot:
      return store_.BuildSlot(task.desired.unit_digest());
    case TaskKind::kCollectGarbage:
      return store_.KeepOnly(task.keep, task.desired.unit_digest());
  }
  return absl::InternalError("no such task");
}

absl::Status Porter::GetPapers(const Task& task) {
  const std::string& digest = task.desired.unit_digest();
  ASSIGN_OR_RETURN(const v1::UnitPapers papers, link_.GetUnit(digest));
  RETURN_IF_ERROR(store_.SavePapers(digest, papers));
  ASSIGN_OR_RETURN(const v1::Manifest manifest, store_.Manifest(digest));
  return CheckNames(manifest, task.desired);
}

absl::Status Porter::FetchFiles(const Task& task, const std::atomic<bool>& cancelled) {
  ASSIGN_OR_RETURN(const v1::Manifest manifest, store_.Manifest(task.desired.unit_digest()));
  for (const v1::UnitFile& file : manifest.files()) {
    if (store_.blobs().Has(file.sha256())) continue;
    RETURN_IF_ERROR(FetchFile(file, cancelled));
  }
  return absl::OkStatus();
}

absl::Status Porter::FetchFile(const v1::UnitFile& file, const std::atomic<bool>& cancelled) {
  ASSIGN_OR_RETURN(const uint64_t offset, store_.blobs().Resume(file));
  const Sink sink = [&](std::string_view bytes) -> absl::Status {
    if (cancelled) return absl::CancelledError("nobody waits for it any more");
    return store_.blobs().Append(file, bytes);
  };
  RETURN_IF_ERROR(link_.FetchBlob(file.sha256(), offset, sink));
  const absl::Status finished = store_.blobs().Finish(file);
  if (absl::IsDataLoss(finished) && offset > 0) {
    // What lay here before may have been the damaged part (a power cut, a bad disk): once more,
    // whole.
    return absl::UnavailableError(absl::StrFormat(
        "%s: begins again, its first %d bytes were damaged here", file.path(), offset));
  }
  return finished;
}

}  // namespace agent::lifecycle
