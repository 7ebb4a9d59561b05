#include "gatekeeper/server/unit_upload.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/dsse.h"
#include "agent/trust/hash.h"
#include "agent/trust/manifest.h"
#include "agent/trust/unit.h"
#include "gatekeeper/server/audit_entry.h"

namespace gatekeeper::server {

absl::Status UnitUpload::Accept(const v1::PushUnitRequest& part) {
  if (digest_.empty()) {
    if (part.has_papers()) return AcceptPapers(part.papers());
    return absl::InvalidArgumentError("a unit's papers come before its files");
  }
  if (part.has_blob()) return AcceptBlob(part.blob());
  return absl::InvalidArgumentError("a part after the papers is neither papers nor a file");
}

absl::Status UnitUpload::AcceptPapers(const v1::UnitPapers& papers) {
  if (papers.manifest().size() > agent::trust::kMaxManifestBytes) {
    return absl::InvalidArgumentError("manifest.json is larger than a manifest may be");
  }
  std::map<std::string, std::string> seal;
  for (const auto& [name, bundle] : papers.seal()) {
    if (name != agent::trust::kUnitBundle && name != agent::trust::kVerdictBundle) {
      return absl::InvalidArgumentError(absl::StrFormat("seal/%s is no file of a seal", name));
    }
    if (bundle.size() > agent::trust::kMaxBundleBytes) {
      return absl::InvalidArgumentError(absl::StrFormat("seal/%s is too large", name));
    }
    seal[name] = bundle;
  }
  const agent::trust::Digest digest = agent::trust::Sha256(papers.manifest());
  ASSIGN_OR_RETURN(manifest_, agent::trust::VerifyPapers(papers.manifest(), seal, digest, trust_));
  ASSIGN_OR_RETURN(const nlohmann::json verdict,
                   agent::trust::OpenStatement(seal[agent::trust::kVerdictBundle],
                                               trust_.Keys(agent::trust::KeyClass::kGate),
                                               agent::trust::kVerdictBundle));
  looser_ = agent::trust::LooserStepOf(verdict);
  papers_ = papers;
  digest_ = digest.hex();
  return absl::OkStatus();
}

absl::Status UnitUpload::AcceptBlob(const v1::BlobPart& part) {
  if (part.sha256() != current_sha256_) {
    RETURN_IF_ERROR(EndBlob());
    const auto file = std::ranges::find(manifest_.files(), part.sha256(), &v1::UnitFile::sha256);
    if (file == manifest_.files().end()) {
      return absl::InvalidArgumentError(absl::StrFormat("%s is no file of %s@%s", part.sha256(),
                                                        manifest_.name(), manifest_.version()));
    }
    current_sha256_ = part.sha256();
    if (!blobs_.Has(part.sha256())) {
      ASSIGN_OR_RETURN(current_, blobs_.Write(part.sha256(), file->size()));
    }
  }
  return current_ == nullptr ? absl::OkStatus() : current_->Append(part.data());
}

absl::Status UnitUpload::EndBlob() {
  current_sha256_.clear();
  if (current_ == nullptr) return absl::OkStatus();
  const std::unique_ptr<store::BlobWriter> ended = std::move(current_);
  return ended->Commit();
}

absl::Status UnitUpload::KeepStep(store::Store& store, const std::string& actor, Moment now) const {
  if (!looser_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool is_new, store.AllowStep({.digest = digest_,
                                                       .from = looser_->from,
                                                       .people = looser_->people,
                                                       .last_day = looser_->last_day}));
  if (!is_new) return absl::OkStatus();
  return store.Audit(
      AuditEntryOf(actor, "unit.allow_looser", manifest_.name() + "@" + manifest_.version(),
                   absl::StrFormat("beside unit %s by %s until %s", looser_->from.substr(0, 12),
                                   looser_->people, looser_->last_day),
                   now));
}

absl::StatusOr<v1::PushUnitReply> UnitUpload::Finish(store::Store& store, const std::string& actor,
                                                     Moment now) {
  if (digest_.empty()) return absl::InvalidArgumentError("no papers came");
  RETURN_IF_ERROR(EndBlob());
  for (const v1::UnitFile& file : manifest_.files()) {
    if (blobs_.Has(file.sha256())) continue;
    return absl::FailedPreconditionError(absl::StrFormat("%s of %s@%s did not come and is not here",
                                                         file.path(), manifest_.name(),
                                                         manifest_.version()));
  }
  v1::PushUnitReply reply;
  reply.set_digest(digest_);
  reply.set_name(manifest_.name());
  reply.set_version(manifest_.version());
  reply.set_already_there(store.FindUnit(digest_).ok());
  RETURN_IF_ERROR(store.Atomically([&]() -> absl::Status {
    RETURN_IF_ERROR(KeepStep(store, actor, now));
    if (reply.already_there()) return absl::OkStatus();
    RETURN_IF_ERROR(store.AddUnit({.digest = digest_,
                                   .name = manifest_.name(),
                                   .version = manifest_.version(),
                                   .pushed_ms = now.wall_ms,
                                   .papers = papers_}));
    return store.Audit(AuditEntryOf(actor, "unit.push",
                                    manifest_.name() + "@" + manifest_.version(), digest_, now));
  }));
  return reply;
}

}  // namespace gatekeeper::server
