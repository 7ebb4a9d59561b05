#include "gatekeeper/gates/corpus.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/recording/observation_reader.h"
#include "agent/trust/hash.h"

// corpus.lock: a line a scenario, "<SHA-256 of the scenario file> <id>", in order of id.

namespace gatekeeper::gates {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxClip = 256 << 20;

using Lock = std::map<std::string, std::string>;  // id -> digest

absl::StatusOr<Lock> ParseLock(const std::string& text, const std::string& file) {
  Lock lock;
  int number = 0;
  for (const auto& line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    if (fields.size() != 2 || !agent::base::Digest::Parse(fields[0]).ok() || fields[1].empty() ||
        !lock.emplace(fields[1], fields[0]).second) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s:%d: a line is a scenario's SHA-256, a space and its id, each id once", file, number));
    }
  }
  return lock;
}

v1::Finding About(const std::string& id, const std::string& message) {
  v1::Finding finding;
  finding.set_scenario("corpus/" + id);
  finding.set_message(message);
  return finding;
}

std::string ScenarioText(const std::string& id, const std::string& recording,
                         const std::string& sha256, double not_imitated_s) {
  std::string text = absl::StrFormat("schema: scenario/1\nid: %s\nrecording: %s\nsha256: %s\n", id,
                                     recording, sha256);
  if (not_imitated_s > 0) {
    text += absl::StrFormat("segments:\n  - {from_s: 0, to_s: %.3f, tags: [%s]}\n", not_imitated_s,
                            kNotImitated);
  }
  return text;
}

std::string LockText(const Lock& lock) {
  std::string text;
  for (const auto& [id, digest] : lock) text += digest + " " + id + "\n";
  return text;
}

absl::StatusOr<Lock> ReadLock(const std::string& folder) {
  auto text = agent::base::OsFiles().Read(folder + "/" + kCorpusLock, kMaxCorpusLock);
  if (absl::IsNotFound(text.status())) return Lock();
  RETURN_IF_ERROR(text.status());
  return ParseLock(*text, folder + "/" + kCorpusLock);
}

// Characters that an id may not have become '_'.
std::string IdFor(const std::string& clip) {
  std::string id = fs::path(clip).stem().string();
  for (char& c : id) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    if (!plain) c = '_';
  }
  return id;
}

}  // namespace

absl::StatusOr<CorpusCheck> CheckCorpus(const CorpusFiles& files, const std::string& recordings) {
  CorpusCheck corpus;
  corpus.no_history = files.no_history;
  corpus.pinned = files.pinned;
  ASSIGN_OR_RETURN(corpus.scenarios, LoadScenarios(files.folder, recordings, files.name));
  ASSIGN_OR_RETURN(const Lock lock, ParseLock(files.lock, kCorpusLock));
  Lock found;
  for (const Scenario& scenario : corpus.scenarios) {
    found[scenario.document.id()] = scenario.sha256.hex();
  }
  for (const auto& [id, digest] : lock) {
    const auto at = found.find(id);
    if (at == found.end()) {
      corpus.missing.push_back(About(id, "corpus.lock names it, and it is not there"));
    } else if (at->second != digest) {
      corpus.missing.push_back(About(
          id, absl::StrFormat("its scenario was edited: SHA-256 %s, corpus.lock says %s; a clip "
                              "that must change is kept and a second one is added",
                              at->second, digest)));
    }
  }
  for (const auto& [id, digest] : found) {
    if (lock.count(id) == 0) corpus.unlocked.push_back(About(id, "corpus.lock does not name it"));
  }
  std::set<std::pair<std::string, std::string>> told;
  for (const std::string& text : files.earlier_locks) {
    ASSIGN_OR_RETURN(const Lock earlier,
                     ParseLock(text, absl::StrFormat("an earlier %s", kCorpusLock)));
    for (const auto& [id, digest] : earlier) {
      const auto at = lock.find(id);
      const bool kept = at != lock.end() && at->second == digest;
      if (kept || !told.emplace(id, digest).second) continue;
      corpus.missing.push_back(
          About(id, absl::StrFormat("an earlier commit held it as %s; the corpus only grows",
                                    digest.substr(0, 16))));
    }
  }
  return corpus;
}

void ReplayCorpus(Crew crew, unsigned threads, const Part& part, FarmBooks& books,
                  CorpusCheck& corpus) {
  std::vector<bool> intact;
  std::vector<ReplayJob> jobs;
  for (size_t i = 0; i < corpus.scenarios.size(); ++i) {
    const auto digest = agent::trust::Sha256File(corpus.scenarios[i].recording);
    const auto wanted = agent::base::Digest::Parse(corpus.scenarios[i].document.sha256());
    intact.push_back(digest.ok() && wanted.ok() && *digest == *wanted);
    if (part.Has(i)) jobs.push_back({.scenario = i});
  }
  ReplayFarm farm(std::move(crew), Crew(), corpus.scenarios, intact, threads, books);
  corpus.replays = farm.Replays(jobs);
}

absl::StatusOr<std::string> KeepClip(const KeptClip& kept) {
  const std::string id = IdFor(kept.clip);
  ASSIGN_OR_RETURN(const auto reader, agent::recording::ObservationReader::Open(kept.clip));
  ASSIGN_OR_RETURN(Lock lock, ReadLock(kept.corpus));
  ASSIGN_OR_RETURN(const agent::base::Digest digest, agent::trust::Sha256File(kept.clip));
  if (lock.count(id) > 0) {
    return absl::AlreadyExistsError(
        absl::StrFormat("%s holds '%s' already; rename the clip to keep both", kept.corpus, id));
  }
  agent::base::OsFiles files;
  RETURN_IF_ERROR(files.MakeFolders(kept.corpus));
  ASSIGN_OR_RETURN(const std::vector<Scenario> scenarios, LoadScenarios(kept.corpus));
  for (const Scenario& scenario : scenarios) {
    if (scenario.document.sha256() != digest.hex()) continue;
    return absl::AlreadyExistsError(absl::StrFormat("%s holds this recording already, as '%s'",
                                                    kept.corpus, scenario.document.id()));
  }
  const double length_s = static_cast<double>(reader.end_ns() - reader.start_ns()) * 1e-9;
  const std::string text =
      ScenarioText(id, id + ".mcap", digest.hex(), kept.not_imitated ? length_s + 1 : 0);
  lock[id] = agent::trust::Sha256(text).hex();
  ASSIGN_OR_RETURN(const std::string bytes, files.Read(kept.clip, kMaxClip));
  const std::string base = kept.corpus + "/" + id;
  // The lock last: what it names is there.
  RETURN_IF_ERROR(files.WriteDurably(base + ".mcap", bytes, 0644));
  RETURN_IF_ERROR(files.WriteDurably(base + ".yaml", text, 0644));
  RETURN_IF_ERROR(files.WriteDurably(kept.corpus + "/" + kCorpusLock, LockText(lock), 0644));
  return id;
}

}  // namespace gatekeeper::gates
