#include "agent/trust/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/unique_fd.h"
#include "agent/trust/dsse.h"
#include "agent/trust/manifest.h"
#include "agent/trust/statements.h"

namespace agent::trust {
namespace {

namespace fs = std::filesystem;
namespace v1 = ::gatekeeper::v1;

std::string SealPath(const char* bundle) { return std::string(kSealFolder) + "/" + bundle; }

// Names found on disk go to terminals and logs.
std::string Printable(const std::string& name) { return absl::CHexEscape(name.substr(0, 256)); }

absl::Status Lost(const std::string& path, const std::string& why) {
  return absl::DataLossError(Printable(path) + " " + why);
}

absl::Status OpenFailed(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return Lost(path, "is missing from the unit");
    case ELOOP:
      return Lost(path, "is a symbolic link; a unit holds plain files only");
    default:
      return absl::InternalError(
          absl::StrFormat("open %s: %s", Printable(path), std::generic_category().message(error)));
  }
}

absl::StatusOr<base::UniqueFd> OpenFolder(const std::string& folder) {
  base::UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid()) return fd;
  const std::string text =
      absl::StrFormat("unit folder %s: %s", folder, std::generic_category().message(errno));
  return errno == ENOENT || errno == ENOTDIR ? absl::NotFoundError(text)
                                             : absl::InternalError(text);
}

// Follows no link in any part of `path`, and never blocks on what is not a plain file.
absl::StatusOr<base::UniqueFd> OpenBeneath(const std::string& folder, const std::string& path) {
  ASSIGN_OR_RETURN(base::UniqueFd at, OpenFolder(folder));
  size_t begin = 0;
  for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', begin)) {
    const std::string part = path.substr(begin, slash - begin);
    base::UniqueFd next(
        openat(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid()) return OpenFailed(path, errno);
    at = std::move(next);
    begin = slash + 1;
  }
  base::UniqueFd file(
      openat(at.get(), path.substr(begin).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) return OpenFailed(path, errno);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return OpenFailed(path, errno);
  if (!S_ISREG(info.st_mode)) return Lost(path, "is not a plain file");
  return file;
}

// Hands the file to `sink` in pieces, at most `cap` bytes of it.
template <class Sink>
absl::Status ForEachPiece(int fd, const std::string& path, uint64_t cap, Sink sink) {
  std::vector<char> piece(kPieceBytes);
  uint64_t left = cap;
  while (true) {
    const ssize_t n = read(fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return absl::InternalError(
          absl::StrFormat("read %s: %s", path, std::generic_category().message(errno)));
    }
    if (n == 0) return absl::OkStatus();
    if (static_cast<uint64_t>(n) > left) {
      return Lost(path, absl::StrFormat("is larger than the %d bytes it may have", cap));
    }
    left -= static_cast<uint64_t>(n);
    sink(std::string_view(piece.data(), static_cast<size_t>(n)));
  }
}

absl::StatusOr<std::string> ReadCapped(const std::string& folder, const std::string& path,
                                       uint64_t cap) {
  ASSIGN_OR_RETURN(const base::UniqueFd fd, OpenBeneath(folder, path));
  std::string bytes;
  RETURN_IF_ERROR(ForEachPiece(fd.get(), path, cap, [&bytes](std::string_view piece) {
    bytes.append(piece.data(), piece.size());
  }));
  return bytes;
}

absl::Status CheckDigest(const v1::UnitFile& file, uint64_t size, const Digest& found) {
  if (size != file.size()) {
    return Lost(file.path(),
                absl::StrFormat("has %d bytes; manifest.json wants %d", size, file.size()));
  }
  if (found.hex() != file.sha256()) {
    return Lost(file.path(), absl::StrFormat("has SHA-256 %s; manifest.json wants %s", found.hex(),
                                             file.sha256()));
  }
  return absl::OkStatus();
}

absl::Status CheckBytes(const std::string& folder, const v1::UnitFile& file) {
  ASSIGN_OR_RETURN(const base::UniqueFd fd, OpenBeneath(folder, file.path()));
  Sha256Stream hash;
  uint64_t size = 0;
  RETURN_IF_ERROR(ForEachPiece(fd.get(), file.path(), file.size(), [&](std::string_view piece) {
    hash.Update(piece);
    size += piece.size();
  }));
  return CheckDigest(file, size, hash.Finish());
}

// Everything that may stand in the folder of this manifest.
struct Expected {
  std::set<std::string> files;
  std::set<std::string> folders;
};

Expected ExpectedOf(const v1::Manifest& manifest) {
  Expected expected;
  expected.files = {kManifestFile, SealPath(kUnitBundle), SealPath(kVerdictBundle)};
  for (const v1::UnitFile& file : manifest.files()) expected.files.insert(file.path());
  for (const std::string& file : expected.files) {
    for (size_t slash = file.find('/'); slash != std::string::npos;
         slash = file.find('/', slash + 1)) {
      expected.folders.insert(file.substr(0, slash));
    }
  }
  return expected;
}

absl::Status CheckEntry(const Expected& expected, const std::string& path,
                        const std::string& relative) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return OpenFailed(relative, errno);
  if (S_ISLNK(info.st_mode)) return OpenFailed(relative, ELOOP);
  if (S_ISDIR(info.st_mode)) {
    if (expected.folders.contains(relative)) return absl::OkStatus();
    return Lost(relative, "is a folder that manifest.json does not know");
  }
  if (!S_ISREG(info.st_mode)) return Lost(relative, "is not a plain file");
  if (!expected.files.contains(relative)) {
    return Lost(relative, "is a file that manifest.json does not list");
  }
  if ((info.st_mode & (S_ISUID | S_ISGID)) != 0) return Lost(relative, "has a set-id bit");
  return absl::OkStatus();
}

// Stops at the first stranger, so a folder full of them costs nothing.
absl::Status CheckNothingElse(const std::string& folder, const v1::Manifest& manifest) {
  const Expected expected = ExpectedOf(manifest);
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string path = it->path().string();
    const std::string relative = fs::path(path).lexically_relative(folder).generic_string();
    RETURN_IF_ERROR(CheckEntry(expected, path, relative));
  }
  if (!error) return absl::OkStatus();
  return absl::InternalError(absl::StrFormat("list unit folder %s: %s", folder, error.message()));
}

// Are these the papers asked for, and nothing beside them?
absl::Status CheckArrived(std::string_view manifest, const std::map<std::string, std::string>& seal,
                          const Digest& expected) {
  const Digest found = Sha256(manifest);
  if (found != expected) {
    return absl::DataLossError(absl::StrFormat("manifest.json has SHA-256 %s; wanted unit %s",
                                               found.hex(), expected.hex()));
  }
  for (const auto& [name, bytes] : seal) {
    if (name != kUnitBundle && name != kVerdictBundle) return Lost("seal/" + name, "is not known");
  }
  return absl::OkStatus();
}

// A bundle that cannot even be read is a seal that was damaged.
absl::StatusOr<nlohmann::json> OpenSeal(const std::map<std::string, std::string>& seal,
                                        const char* bundle, const std::vector<PublicKey>& keys) {
  const auto bytes = seal.find(bundle);
  if (bytes == seal.end()) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "the unit is not sealed: %s is missing; let it pass its gates first", SealPath(bundle)));
  }
  absl::StatusOr<nlohmann::json> statement = OpenStatement(bytes->second, keys, SealPath(bundle));
  if (absl::IsInvalidArgument(statement.status())) {
    return absl::DataLossError(std::string(statement.status().message()));
  }
  return statement;
}

// A signature does not make a hostile or future manifest a unit that can run here.
absl::StatusOr<v1::Manifest> ParseSigned(std::string_view manifest) {
  absl::StatusOr<v1::Manifest> parsed = ParseManifest(manifest);
  if (parsed.ok()) return parsed;
  return absl::PermissionDeniedError("signed, but not a unit this program can run: " +
                                     std::string(parsed.status().message()));
}

// The bundles that are there; one that is not is for VerifyPapers to name.
absl::StatusOr<std::map<std::string, std::string>> ReadSeal(const std::string& folder) {
  std::map<std::string, std::string> seal;
  for (const char* bundle : {kUnitBundle, kVerdictBundle}) {
    struct stat info {};
    const std::string path = folder + "/" + SealPath(bundle);
    if (lstat(path.c_str(), &info) != 0 && errno == ENOENT) continue;
    ASSIGN_OR_RETURN(seal[bundle], ReadCapped(folder, SealPath(bundle), kMaxBundleBytes));
  }
  return seal;
}

}  // namespace

absl::StatusOr<std::string> IntactUnit::Read(std::string_view path) const {
  const auto file = std::find_if(manifest_.files().begin(), manifest_.files().end(),
                                 [path](const v1::UnitFile& f) { return f.path() == path; });
  if (file == manifest_.files().end()) {
    return absl::NotFoundError(absl::StrFormat("unit %s@%s lists no file '%s'", manifest_.name(),
                                               manifest_.version(), Printable(std::string(path))));
  }
  ASSIGN_OR_RETURN(std::string bytes, ReadCapped(folder_, file->path(), file->size()));
  RETURN_IF_ERROR(CheckDigest(*file, bytes.size(), Sha256(bytes)));
  return bytes;
}

absl::StatusOr<IntactUnit> VerifyFiles(const std::string& folder) {
  IntactUnit unit;
  unit.folder_ = folder;
  ASSIGN_OR_RETURN(unit.manifest_bytes_, ReadCapped(folder, kManifestFile, kMaxManifestBytes));
  unit.digest_ = Sha256(unit.manifest_bytes_);
  ASSIGN_OR_RETURN(unit.manifest_, ParseManifest(unit.manifest_bytes_));
  RETURN_IF_ERROR(CheckNothingElse(folder, unit.manifest_));
  for (const v1::UnitFile& file : unit.manifest_.files()) {
    RETURN_IF_ERROR(CheckBytes(folder, file));
  }
  return unit;
}

absl::StatusOr<v1::Manifest> VerifyPapers(std::string_view manifest,
                                          const std::map<std::string, std::string>& seal,
                                          const Digest& expected, const TrustPolicy& trust) {
  RETURN_IF_ERROR(CheckArrived(manifest, seal, expected));
  ASSIGN_OR_RETURN(const nlohmann::json verdict,
                   OpenSeal(seal, kVerdictBundle, trust.Keys(KeyClass::kGate)));
  ASSIGN_OR_RETURN(const nlohmann::json signature,
                   OpenSeal(seal, kUnitBundle, trust.Keys(KeyClass::kBuild)));
  RETURN_IF_ERROR(CheckVerdictSubject(verdict, expected));
  ASSIGN_OR_RETURN(v1::Manifest parsed, ParseSigned(manifest));
  RETURN_IF_ERROR(CheckVerdictStatement(verdict, parsed, trust));
  RETURN_IF_ERROR(CheckUnitStatement(signature, parsed, expected));
  return parsed;
}

absl::StatusOr<VerifiedUnit> VerifyUnit(const std::string& folder, const TrustPolicy& trust) {
  ASSIGN_OR_RETURN(const std::string manifest,
                   ReadCapped(folder, kManifestFile, kMaxManifestBytes));
  ASSIGN_OR_RETURN(const auto seal, ReadSeal(folder));
  const Digest digest = Sha256(manifest);
  RETURN_IF_ERROR(VerifyPapers(manifest, seal, digest, trust).status());
  ASSIGN_OR_RETURN(IntactUnit files, VerifyFiles(folder));
  if (files.digest() != digest) return Lost(kManifestFile, "changed while it was verified");
  return VerifiedUnit(std::move(files));
}

}  // namespace agent::trust
