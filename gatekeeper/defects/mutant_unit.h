#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/ungated_unit.h"

namespace gatekeeper::defects {

// A unit's twin in a folder of its own, in which one file at a time is another: with a manifest
// that says so, as if its author had built it that way.
class MutantUnit {
 public:
  // Copies the unit, without any seal, to `folder`, which must not exist.
  static absl::StatusOr<MutantUnit> Copy(const bundle::UngatedUnit& unit,
                                         const std::string& folder);

  // The unit with `bytes` as `path`, and every other file as it was. Earlier ones are gone.
  absl::StatusOr<bundle::UngatedUnit> With(const std::string& path, const std::string& bytes);

 private:
  MutantUnit(std::string folder, v1::Manifest manifest)
      : folder_(std::move(folder)), manifest_(std::move(manifest)) {}

  std::string folder_;
  v1::Manifest manifest_;  // of the original
  std::string changed_;    // path of the file that is another now; empty: none is
  std::string original_;   // its bytes in the original
};

}  // namespace gatekeeper::defects
