#include "agent/lifecycle/blob_store.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"

namespace agent::lifecycle {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr uint64_t kSyncEvery = 8 << 20;  // bytes that a power cut may cost
constexpr std::string_view kPart = ".part";

}  // namespace

absl::StatusOr<uint64_t> BlobStore::Resume(const v1::UnitFile& file) {
  RETURN_IF_ERROR(files_.MakeFolders(folder_));
  unsynced_ = 0;
  const std::string part = PartOf(file.sha256());
  if (!files_.Exists(part)) return 0;
  ASSIGN_OR_RETURN(const size_t size, files_.Size(part));
  if (size < file.size()) return size;
  RETURN_IF_ERROR(files_.RemoveAll(part));
  return 0;
}

absl::Status BlobStore::Append(const v1::UnitFile& file, std::string_view bytes) {
  const std::string part = PartOf(file.sha256());
  size_t before = 0;
  if (files_.Exists(part)) {
    ASSIGN_OR_RETURN(before, files_.Size(part));
  }
  if (before + bytes.size() > file.size()) {
    return Drop(file.sha256(),
                absl::DataLossError(absl::StrFormat(
                    "%s: more bytes came than the %d of the manifest", file.path(), file.size())));
  }
  if (absl::Status status = files_.Append(part, bytes); !status.ok()) {
    // Half of it may be written; a resume would build on it, and a full disk wants the room back.
    return Drop(file.sha256(), std::move(status));
  }
  unsynced_ += bytes.size();
  if (unsynced_ < kSyncEvery) return absl::OkStatus();
  unsynced_ = 0;
  return files_.Sync(part);
}

absl::Status BlobStore::Finish(const v1::UnitFile& file) {
  const std::string part = PartOf(file.sha256());
  if (file.size() == 0 && !files_.Exists(part)) RETURN_IF_ERROR(files_.Append(part, ""));
  ASSIGN_OR_RETURN(const size_t size, files_.Size(part));
  if (size < file.size()) {
    return absl::UnavailableError(absl::StrFormat("%s: the transfer ended after %d of %d bytes",
                                                  file.path(), size, file.size()));
  }
  ASSIGN_OR_RETURN(const trust::Digest found, trust::Sha256File(part));
  if (found.hex() != file.sha256()) {
    return Drop(file.sha256(), absl::DataLossError(absl::StrFormat(
                                   "%s: the bytes that came hash to %s, the manifest says %s",
                                   file.path(), found.hex(), file.sha256())));
  }
  RETURN_IF_ERROR(files_.Sync(part));
  return files_.Rename(part, PathOf(file.sha256()));
}

uint64_t BlobStore::MissingBytes(const v1::Manifest& manifest) const {
  uint64_t missing = 0;
  for (const v1::UnitFile& file : manifest.files()) {
    if (Has(file.sha256())) continue;
    const std::string part = PartOf(file.sha256());
    const uint64_t here = files_.Exists(part) ? files_.Size(part).value_or(0) : 0;
    missing += file.size() - std::min<uint64_t>(here, file.size());
  }
  return missing;
}

absl::Status BlobStore::KeepOnly(const std::set<std::string>& keep) {
  if (!files_.Exists(folder_)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(folder_));
  for (const std::string& name : names) {
    const std::string digest =
        absl::EndsWith(name, ".part") ? name.substr(0, name.size() - kPart.size()) : name;
    if (!keep.contains(digest)) RETURN_IF_ERROR(files_.RemoveAll(folder_ + "/" + name));
  }
  return absl::OkStatus();
}

absl::Status BlobStore::Drop(const std::string& sha256, absl::Status why) {
  RETURN_IF_ERROR(files_.RemoveAll(PartOf(sha256)));
  return why;
}

}  // namespace agent::lifecycle
