#include "gatekeeper/gates/policy_files.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/suite.h"

namespace gatekeeper::gates {
namespace {

namespace fs = std::filesystem;

constexpr char kWaivers[] = "waivers";
constexpr size_t kMaxDocument = 256 * 1024;
constexpr size_t kMaxList = 256 << 20;       // 2 million training samples
constexpr size_t kMaxRecording = 256 << 20;  // of the corpus: clips of some seconds

// What lies beside a suite, read from wherever the suite came.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual absl::StatusOr<std::string> Read(const std::string& path, size_t cap) const = 0;
  virtual absl::StatusOr<CorpusFiles> Corpus(const std::string& folder) const = 0;
  virtual absl::StatusOr<ScenarioFiles> Scenarios(const std::string& folder) const = 0;
};

absl::StatusOr<std::string> OrEmpty(absl::StatusOr<std::string> text) {
  if (absl::IsNotFound(text.status())) return std::string();
  return text;
}

class PlainReader final : public Reader {
 public:
  absl::StatusOr<std::string> Read(const std::string& path, size_t cap) const override {
    return agent::base::OsFiles().Read(path, cap);
  }
  absl::StatusOr<CorpusFiles> Corpus(const std::string& folder) const override {
    CorpusFiles corpus{.folder = folder,
                       .name = folder,
                       .lock = {},
                       .earlier_locks = {},
                       .no_history =
                           "the suite is a plain file, so nobody knows what its corpus "
                           "held before"};
    ASSIGN_OR_RETURN(corpus.lock, OrEmpty(Read(folder + "/" + kCorpusLock, kMaxCorpusLock)));
    return corpus;
  }
  absl::StatusOr<ScenarioFiles> Scenarios(const std::string& folder) const override {
    return ScenarioFiles{.folder = folder, .name = folder};
  }
};

class PinnedReader final : public Reader {
 public:
  PinnedReader(const source::Repository& repository, const std::string& commit,
               const std::string& scratch)
      : repository_(repository), commit_(commit), scratch_(scratch) {}

  absl::StatusOr<std::string> Read(const std::string& path, size_t cap) const override {
    ASSIGN_OR_RETURN(source::SourceFile file, repository_.ReadFile(commit_, path, cap));
    return std::move(file.bytes);
  }
  absl::StatusOr<CorpusFiles> Corpus(const std::string& folder) const override {
    CorpusFiles corpus{.folder = scratch_ + "/corpus",
                       .name = folder,
                       .lock = {},
                       .earlier_locks = {},
                       .no_history = {}};
    ASSIGN_OR_RETURN(corpus.lock, OrEmpty(Read(folder + "/" + kCorpusLock, kMaxCorpusLock)));
    corpus.pinned = true;
    auto versions = repository_.Versions(commit_, folder + "/" + kCorpusLock, kMaxCorpusLock);
    if (versions.ok()) {
      corpus.earlier_locks = *std::move(versions);
    } else if (absl::IsFailedPrecondition(versions.status())) {
      corpus.no_history = std::string(versions.status().message());
    } else {
      return versions.status();
    }
    RETURN_IF_ERROR(WriteOut(repository_, commit_, folder, corpus.folder));
    return corpus;
  }
  absl::StatusOr<ScenarioFiles> Scenarios(const std::string& folder) const override {
    ScenarioFiles scenarios{.folder = scratch_ + "/library", .name = folder};
    RETURN_IF_ERROR(WriteOut(repository_, commit_, folder, scenarios.folder));
    return scenarios;
  }

 private:
  const source::Repository& repository_;
  std::string commit_;
  std::string scratch_;
};

std::string Beside(const std::string& suite, const std::string& path) {
  return PathOfFolder((fs::path(suite).parent_path() / path).generic_string());
}

absl::StatusOr<bundle::Document> ReadDocument(const Reader& reader, const std::string& path,
                                              size_t cap) {
  bundle::Document document{.file = path, .text = {}};
  ASSIGN_OR_RETURN(document.text, reader.Read(path, cap));
  return document;
}

// The YAML, and beside it the image that it names.
absl::StatusOr<std::shared_ptr<const MapOfSite>> ReadMap(const Reader& reader,
                                                         const std::string& path) {
  auto found = std::make_shared<MapOfSite>();
  found->file = path;
  ASSIGN_OR_RETURN(const std::string yaml, reader.Read(path, resim::kMaxMapYaml));
  ASSIGN_OR_RETURN(const resim::MapDescription description, resim::ReadMapDescription(yaml, path));
  const std::string image_path = Beside(path, description.image);
  ASSIGN_OR_RETURN(const std::string image, reader.Read(image_path, resim::kMaxMapImage));
  ASSIGN_OR_RETURN(found->map, resim::ReadMapImage(description, image, image_path));
  found->sha256 = agent::trust::Sha256(agent::trust::Sha256(yaml).hex() + " " +
                                       agent::trust::Sha256(image).hex());
  return found;
}

absl::StatusOr<NamedSuite> ReadNamed(const Reader& reader, const std::string& path) {
  NamedSuite named{.file = path, .yaml = {}, .beside = {}};
  ASSIGN_OR_RETURN(named.yaml, reader.Read(path, kMaxDocument));
  ASSIGN_OR_RETURN(const Suite suite, ParseSuite(named.yaml, path));
  if (!suite.document.site().empty()) {
    ASSIGN_OR_RETURN(named.beside.site,
                     ReadDocument(reader, Beside(path, suite.document.site()), kMaxDocument));
  }
  if (suite.document.has_leakage()) {
    const std::string list = Beside(path, suite.document.leakage().training_digests());
    ASSIGN_OR_RETURN(named.beside.training, ReadDocument(reader, list, kMaxList));
  }
  if (!suite.document.closed_loop().map().empty()) {
    ASSIGN_OR_RETURN(named.beside.map,
                     ReadMap(reader, Beside(path, suite.document.closed_loop().map())));
  }
  if (suite.document.has_regression()) {
    ASSIGN_OR_RETURN(named.beside.corpus,
                     reader.Corpus(Beside(path, suite.document.regression().corpus())));
  }
  if (!suite.document.scenarios().empty()) {
    ASSIGN_OR_RETURN(named.beside.scenarios,
                     reader.Scenarios(Beside(path, suite.document.scenarios())));
  }
  return named;
}

bool IsYaml(const std::string& path) {
  const std::string extension = fs::path(path).extension().string();
  return extension == ".yaml" || extension == ".yml";
}

}  // namespace

std::string PathOfFolder(const std::string& path) {
  std::string plain = fs::path(path).lexically_normal().generic_string();
  if (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  return plain;
}

absl::Status CheckPinned(const std::string& commit) {
  constexpr size_t kSha1 = 40;
  const bool hex = std::all_of(commit.begin(), commit.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (hex && commit.size() == kSha1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "a policy commit is pinned by all of its 40 hex digits, '%s' is not that: a branch, a tag or "
      "a prefix may mean something else tomorrow (git rev-parse '%s' tells the digits of today)",
      commit, commit));
}

absl::StatusOr<NamedSuite> ReadPlainSuite(const std::string& file) {
  return ReadNamed(PlainReader(), file);
}

absl::StatusOr<NamedSuite> ReadPinnedSuite(const source::Repository& repository,
                                           const PolicyPin& pin, const std::string& scratch) {
  RETURN_IF_ERROR(CheckPinned(pin.commit));
  ASSIGN_OR_RETURN(const std::string commit, repository.ResolveCommit(pin.commit));
  if (commit != pin.commit) {  // the digits of a tag object, say
    return absl::InvalidArgumentError(
        absl::StrFormat("%s names commit %s; pin that one", pin.commit, commit));
  }
  ASSIGN_OR_RETURN(NamedSuite named, ReadNamed(PinnedReader(repository, commit, scratch),
                                               fs::path(pin.suite_path).lexically_normal()));
  named.beside.repository = pin.name;
  named.beside.commit = commit;
  const auto waivers = repository.ListFiles(commit, kWaivers);
  if (absl::IsNotFound(waivers.status())) return named;
  RETURN_IF_ERROR(waivers.status());
  for (const std::string& path : *waivers) {
    if (!IsYaml(path)) continue;
    ASSIGN_OR_RETURN(source::SourceFile file, repository.ReadFile(commit, path, kMaxDocument));
    named.beside.waivers.push_back({.file = path, .text = std::move(file.bytes)});
  }
  return named;
}

absl::Status WriteOut(const source::Repository& repository, const std::string& commit,
                      const std::string& folder, const std::string& target) {
  const std::string below_root = folder == "." ? "" : folder;
  ASSIGN_OR_RETURN(const std::vector<std::string> files, repository.ListFiles(commit, below_root));
  agent::base::OsFiles disk;
  for (const std::string& path : files) {
    if (fs::path(path).lexically_normal() != fs::path(path)) {  // ".." in a forged tree
      return absl::InvalidArgumentError(absl::StrFormat("%s is no path of a plain file", path));
    }
    ASSIGN_OR_RETURN(const source::SourceFile file,
                     repository.ReadFile(commit, path, kMaxRecording));
    const std::string below = below_root.empty() ? path : path.substr(below_root.size() + 1);
    const std::string to = target + "/" + below;
    RETURN_IF_ERROR(disk.MakeFolders(fs::path(to).parent_path().string()));
    RETURN_IF_ERROR(disk.Append(to, file.bytes));
  }
  return disk.MakeFolders(target);  // of an empty folder too
}

}  // namespace gatekeeper::gates
