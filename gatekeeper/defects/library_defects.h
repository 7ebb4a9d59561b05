#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/gates/scenario_library.h"
#include "proto/gates.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::defects {

// What one file of a library becomes.
struct FileChange {
  std::string path;
  std::optional<std::string> bytes;  // nothing: the file is gone
};

// One thing that is wrong with a scenario or its recording.
struct LibraryDefect {
  std::string scenario;  // its id
  std::string what;      // "byte flipped", "commands 300 ms late", ...
  std::string before;
  std::string after;
  // kNotFound and the like: this scenario has nothing that could be hurt in this way.
  std::function<absl::StatusOr<std::vector<FileChange>>()> make;
};

// A copy of a library that may be hurt.
class MutantLibrary {
 public:
  // Copies every file below `scenarios` to `folder`; recordings elsewhere stay where they are.
  static absl::StatusOr<MutantLibrary> Copy(const std::string& scenarios,
                                            const std::string& folder);
  const std::string& folder() const { return folder_; }

  absl::Status Apply(const std::vector<FileChange>& changes);
  absl::Status Restore();  // every file as it was copied

 private:
  MutantLibrary(std::string source, std::string folder)
      : source_(std::move(source)), folder_(std::move(folder)) {}

  std::string source_;
  std::string folder_;
  std::vector<std::string> changed_;
};

// Everything that is seeded into the first `clips` of the library's scenarios, in order of id. Some
// of it leaves the digests wrong, and some is vouched for by the right digest: an author's mistake.
// `scratch` holds what is being made.
std::vector<LibraryDefect> SeedLibrary(const std::vector<gates::Scenario>& scenarios,
                                       const v1::ControlPolicy& policy, const v1::GateSuite& suite,
                                       size_t clips, const std::string& scratch);

}  // namespace gatekeeper::defects
