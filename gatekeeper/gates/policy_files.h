#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/digest.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/resim/site_map.h"
#include "gatekeeper/source/repository.h"

namespace gatekeeper::gates {

inline constexpr char kCorpusLock[] = "corpus.lock";
inline constexpr size_t kMaxCorpusLock = 4 << 20;  // 20 000 scenarios

// A folder of scenario/1 files where it can be read.
struct ScenarioFiles {
  std::string folder;  // on this disk
  std::string name;    // as messages and reports call it
};

// The regression corpus where it can be read.
struct CorpusFiles {
  std::string folder;                      // on this disk; scenario/1 files and recordings
  std::string name;                        // as messages and reports call it
  std::string lock;                        // corpus.lock; empty: absent
  std::vector<std::string> earlier_locks;  // every earlier text of it in the repository's history
  std::string no_history;                  // why the history says nothing; empty: it was read
  bool pinned = false;                     // from a repository, which has a history to show
};

// The closed loop's map.
struct MapOfSite {
  std::string file;  // its YAML
  resim::SiteMap map;
  agent::base::Digest sha256;  // over the digests of YAML and image
};

// What the safety team wrote beside a suite.
struct PolicyFiles {
  std::string repository;  // as the caller named it; empty: plain files, which anybody may edit
  std::string commit;      // 40 hex digits; empty: plain files
  std::optional<bundle::Document> site;
  std::optional<bundle::Document> training;  // of the leakage gate
  std::optional<CorpusFiles> corpus;
  std::optional<ScenarioFiles> scenarios;  // what judges, where the suite says so itself
  std::shared_ptr<const MapOfSite> map;    // null: the suite names none
  std::vector<bundle::Document> waivers;   // only ever from a repository
};

struct NamedSuite {
  std::string file;
  std::string yaml;
  PolicyFiles beside;
};

// A suite and what it names, as plain files. Waivers beside it are not looked at: whoever can edit
// the suite could write them.
absl::StatusOr<NamedSuite> ReadPlainSuite(const std::string& file);

// The same as `commit` holds it, whatever the work tree says, with all of waivers/*.yaml at the
// repository's root. `commit` must be 40 hex digits (kInvalidArgument: a branch may move).
// `suite_path` is from the root. `name` is the repository as the caller calls it. Corpus and
// scenarios are written out below `scratch`, an empty folder that must outlive the run.
struct PolicyPin {
  std::string name;
  std::string commit;
  std::string suite_path;
};
absl::StatusOr<NamedSuite> ReadPinnedSuite(const source::Repository& repository,
                                           const PolicyPin& pin, const std::string& scratch);

// Without "..", "." and a last '/', as git knows it.
std::string PathOfFolder(const std::string& path);

// Writes every regular file below `folder` (empty or ".": the root) of the commit to `target`/...,
// links left out.
absl::Status WriteOut(const source::Repository& repository, const std::string& commit,
                      const std::string& folder, const std::string& target);

// kInvalidArgument unless `commit` is 40 lower-case hex digits.
absl::Status CheckPinned(const std::string& commit);

}  // namespace gatekeeper::gates
