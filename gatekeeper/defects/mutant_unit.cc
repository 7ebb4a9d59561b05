#include "gatekeeper/defects/mutant_unit.h"

#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/defects/twin_file.h"

namespace gatekeeper::defects {
namespace {

constexpr size_t kMaxDocument = 1 << 20;

}  // namespace

absl::StatusOr<MutantUnit> MutantUnit::Copy(const bundle::UngatedUnit& unit,
                                            const std::string& folder) {
  for (const v1::UnitFile& file : unit.manifest().files()) {
    ASSIGN_OR_RETURN(const std::string bytes, unit.Read(file.path()));
    RETURN_IF_ERROR(WriteTwinFile(folder + "/" + file.path(), bytes));
  }
  RETURN_IF_ERROR(WriteTwinFile(folder + "/" + agent::trust::kManifestFile,
                                agent::trust::CanonicalManifest(unit.manifest())));
  return MutantUnit(folder, unit.manifest());
}

absl::StatusOr<bundle::UngatedUnit> MutantUnit::With(const std::string& path,
                                                     const std::string& bytes) {
  if (!changed_.empty()) RETURN_IF_ERROR(WriteTwinFile(folder_ + "/" + changed_, original_));
  ASSIGN_OR_RETURN(original_, agent::base::OsFiles().Read(folder_ + "/" + path, kMaxDocument));
  changed_ = path;
  RETURN_IF_ERROR(WriteTwinFile(folder_ + "/" + path, bytes));
  v1::Manifest manifest = manifest_;
  for (v1::UnitFile& file : *manifest.mutable_files()) {
    if (file.path() != path) continue;
    file.set_size(bytes.size());
    file.set_sha256(agent::trust::Sha256(bytes).hex());
  }
  RETURN_IF_ERROR(WriteTwinFile(folder_ + "/" + agent::trust::kManifestFile,
                                agent::trust::CanonicalManifest(manifest)));
  return bundle::UngatedUnit::Open(folder_);
}

}  // namespace gatekeeper::defects
