#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/base/yaml_document.h"
#include "agent/trust/unit.h"
#include "gatekeeper/source/repository.h"
#include "proto/unit.pb.h"

namespace gatekeeper::bundle {

// A unit whose bytes are what its manifest says, and which no gate has judged yet.
class UngatedUnit {
 public:
  // An unpacked unit folder; a seal already in it is ignored. Errors as trust::VerifyFiles.
  static absl::StatusOr<UngatedUnit> Open(const std::string& folder);

  const std::string& folder() const { return files_.folder(); }
  const agent::trust::Digest& digest() const { return files_.digest(); }
  const v1::Manifest& manifest() const { return files_.manifest(); }
  std::string label() const { return manifest().name() + "@" + manifest().version(); }
  absl::StatusOr<std::string> Read(const std::string& path) const { return files_.Read(path); }

 private:
  explicit UngatedUnit(agent::trust::IntactUnit files) : files_(std::move(files)) {}
  agent::trust::IntactUnit files_;
};

struct BuildRequest {
  std::string commit;      // what the caller asked for: a revision, resolved by the repository
  std::string spec_path;   // of the release/1 YAML file, from the repository's root
  std::string out_folder;  // must not exist; appears whole or not at all
};

// A release spec as a commit holds it, and where its values stand.
struct CommittedSpec {
  std::string commit;  // 40 hex digits
  v1::ReleaseSpec document;
  agent::base::SourceMap map{""};
};

// kInvalidArgument names file, line and column of what a release cannot be.
absl::StatusOr<CommittedSpec> ReadSpec(const source::Repository& repository,
                                       const BuildRequest& request);

// Reads the release spec and every file it names from the commit (never from the work tree),
// follows Git LFS pointers, checks the documents against each other, and writes the unpacked unit.
// The manifest holds nothing but what the commit determines, so the same commit gives the same
// digest anywhere. kInvalidArgument names file, line and column; kFailedPrecondition a dirty tree
// or an existing folder.
absl::StatusOr<UngatedUnit> BuildUnit(const source::Repository& repository,
                                      const BuildRequest& request);

}  // namespace gatekeeper::bundle
