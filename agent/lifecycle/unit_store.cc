#include "agent/lifecycle/unit_store.h"

#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/manifest.h"
#include "agent/trust/unit.h"

namespace agent::lifecycle {
namespace {

namespace fs = std::filesystem;
namespace v1 = ::gatekeeper::v1;

constexpr size_t kMaxTrustBytes = 64 * 1024;
constexpr size_t kMaxPapersBytes = 4
                                   << 20;  // a manifest and two bundles, each capped in agent/trust
constexpr double kMb = 1e6;
constexpr char kHalfBuilt[] = ".new";

// The blob itself under a second name: no bytes are copied, and it stays if we are killed here.
absl::Status LinkOrCopy(const std::string& from, const std::string& to, base::Files& files) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (!error) return absl::OkStatus();
  fs::copy_file(from, to, error);  // a file system without links
  if (error == std::errc::no_space_on_device) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("copy %s: %s; free some space and try again", to, error.message()));
  }
  if (error) return absl::InternalError(absl::StrFormat("link %s: %s", to, error.message()));
  return files.Sync(to);
}

}  // namespace

UnitStore::UnitStore(base::Files& files, std::string state_folder)
    : files_(files),
      state_(std::move(state_folder)),
      papers_(state_ + "/agent/papers"),
      slots_(state_ + "/slots"),
      blobs_(files, state_ + "/blobs") {}

OnDisk UnitStore::Holds(const std::string& digest) const {
  if (digest.empty()) return {};
  return {.papers = files_.Exists(papers_ + "/" + digest), .slot = files_.Exists(SlotOf(digest))};
}

absl::StatusOr<trust::TrustPolicy> UnitStore::Trust() const {
  ASSIGN_OR_RETURN(const std::string bytes, files_.Read(state_ + "/trust.json", kMaxTrustBytes));
  return trust::TrustPolicy::Parse(bytes);
}

absl::Status UnitStore::SavePapers(const std::string& digest, const v1::UnitPapers& papers) {
  ASSIGN_OR_RETURN(const trust::TrustPolicy trust, Trust());
  ASSIGN_OR_RETURN(const trust::Digest expected, trust::Digest::Parse(digest));
  const std::map<std::string, std::string> seal(papers.seal().begin(), papers.seal().end());
  RETURN_IF_ERROR(trust::VerifyPapers(papers.manifest(), seal, expected, trust).status());
  RETURN_IF_ERROR(files_.MakeFolders(papers_));
  return files_.WriteDurably(papers_ + "/" + digest, papers.SerializeAsString(), 0600);
}

absl::StatusOr<v1::UnitPapers> UnitStore::Papers(const std::string& digest) const {
  ASSIGN_OR_RETURN(const std::string bytes, files_.Read(papers_ + "/" + digest, kMaxPapersBytes));
  v1::UnitPapers papers;
  if (!papers.ParseFromString(bytes)) {
    return absl::DataLossError("the papers kept of unit " + digest + " are damaged");
  }
  return papers;
}

absl::StatusOr<v1::Manifest> UnitStore::Manifest(const std::string& digest) const {
  ASSIGN_OR_RETURN(const v1::UnitPapers papers, Papers(digest));
  ASSIGN_OR_RETURN(const trust::TrustPolicy trust, Trust());
  ASSIGN_OR_RETURN(const trust::Digest expected, trust::Digest::Parse(digest));
  const std::map<std::string, std::string> seal(papers.seal().begin(), papers.seal().end());
  return trust::VerifyPapers(papers.manifest(), seal, expected, trust);
}

absl::Status UnitStore::FindSpace(const v1::Manifest& manifest, uint64_t reserve_bytes) const {
  std::error_code error;
  const fs::space_info space = fs::space(state_, error);
  if (error) {
    return absl::InternalError(absl::StrFormat("statvfs %s: %s", state_, error.message()));
  }
  const uint64_t missing = blobs_.MissingBytes(manifest);
  if (missing == 0 || space.available >= missing + reserve_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrFormat("no room for %s@%s: it needs %.1f MB and %.1f MB must stay free, but %s has "
                      "%.1f MB; free some "
                      "space, then give the directive again",
                      manifest.name(), manifest.version(), static_cast<double>(missing) / kMb,
                      static_cast<double>(reserve_bytes) / kMb, state_,
                      static_cast<double>(space.available) / kMb));
}

absl::Status UnitStore::BuildSlot(const std::string& digest) {
  const std::string slot = SlotOf(digest);
  if (files_.Exists(slot)) return absl::OkStatus();
  const std::string building = slot + kHalfBuilt;
  RETURN_IF_ERROR(files_.RemoveAll(building));
  if (absl::Status status = FillSlot(building, digest); !status.ok()) {
    RETURN_IF_ERROR(files_.RemoveAll(building));
    return status;
  }
  return files_.Rename(building, slot);
}

absl::Status UnitStore::FillSlot(const std::string& folder, const std::string& digest) {
  ASSIGN_OR_RETURN(const v1::UnitPapers papers, Papers(digest));
  ASSIGN_OR_RETURN(const v1::Manifest manifest, Manifest(digest));
  std::set<std::string> folders = {folder + "/" + trust::kSealFolder};
  RETURN_IF_ERROR(files_.MakeFolders(*folders.begin()));
  for (const v1::UnitFile& file : manifest.files()) {
    const std::string path = folder + "/" + file.path();
    const std::string parent = fs::path(path).parent_path().string();
    if (folders.insert(parent).second) RETURN_IF_ERROR(files_.MakeFolders(parent));
    RETURN_IF_ERROR(LinkOrCopy(blobs_.PathOf(file.sha256()), path, files_));
  }
  for (const auto& [name, bytes] : papers.seal()) {
    RETURN_IF_ERROR(
        files_.WriteDurably(folder + "/" + trust::kSealFolder + "/" + name, bytes, 0600));
  }
  RETURN_IF_ERROR(
      files_.WriteDurably(folder + "/" + trust::kManifestFile, papers.manifest(), 0600));
  for (const std::string& made : folders) RETURN_IF_ERROR(files_.Sync(made));
  ASSIGN_OR_RETURN(const trust::TrustPolicy trust, Trust());
  return trust::VerifyUnit(folder, trust).status();
}

absl::Status UnitStore::KeepOnly(const std::set<std::string>& keep, const std::string& arriving) {
  for (const std::string& folder : {slots_, papers_}) {
    if (!files_.Exists(folder)) continue;
    ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(folder));
    for (const std::string& name : names) {
      if (!keep.contains(name)) RETURN_IF_ERROR(files_.RemoveAll(folder + "/" + name));
    }
  }
  std::set<std::string> blobs;
  if (Holds(arriving).papers && !Holds(arriving).slot) {
    ASSIGN_OR_RETURN(const v1::Manifest manifest, Manifest(arriving));
    for (const v1::UnitFile& file : manifest.files()) blobs.insert(file.sha256());
  }
  return blobs_.KeepOnly(blobs);
}

}  // namespace agent::lifecycle
