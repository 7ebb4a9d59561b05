#include "gatekeeper/ingest/merged_bag.h"

#include <sqlite3.h>
#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/handle.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::ingest {
namespace {

namespace fs = std::filesystem;

struct Leftover {
  const char* ending;
  uintmax_t empty_bytes;  // of a file that holds nothing
};
constexpr Leftover kLeftovers[] = {{"-wal", 32}, {"-journal", 0}};

// 0 for a file that is not there.
uintmax_t SizeOf(const std::string& path) {
  std::error_code absent;
  const uintmax_t size = fs::file_size(path, absent);
  return absent ? 0 : size;
}

std::vector<Leftover> LeftoversOf(const std::string& path) {
  std::vector<Leftover> found;
  for (const Leftover& leftover : kLeftovers)
    if (SizeOf(path + leftover.ending) > leftover.empty_bytes) found.push_back(leftover);
  return found;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MergedBag>> MergedBag::Of(const Source& source) {
  if (LeftoversOf(source.path).empty()) return nullptr;
  std::unique_ptr<MergedBag> bag(new MergedBag);
  RETURN_IF_ERROR(bag->Copy(source));
  RETURN_IF_ERROR(bag->Merge(source.name));
  return bag;
}

MergedBag::~MergedBag() {
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

absl::Status MergedBag::Copy(const Source& source) {
  std::error_code failed;
  std::string folder = (fs::temp_directory_path(failed) / "bag-XXXXXX").string();
  if (failed) return absl::FailedPreconditionError("there is no folder for temporary files");
  if (mkdtemp(folder.data()) == nullptr)
    return absl::ErrnoToStatus(errno, "cannot make a folder " + folder);
  folder_ = folder;
  path_ = folder + "/bag.db3";
  const std::vector<Leftover> leftovers = LeftoversOf(source.path);
  uintmax_t bytes = SizeOf(source.path);
  for (const Leftover& leftover : leftovers) bytes += SizeOf(source.path + leftover.ending);
  const fs::space_info space = fs::space(folder, failed);
  if (failed || bytes > space.available / 2)
    return absl::ResourceExhaustedError(absl::StrFormat(
        "%s must be copied to merge what its writer left beside it; %d bytes are more than half of "
        "what is free in %s",
        source.name, bytes, folder));
  fs::copy_file(source.path, path_, failed);
  for (const Leftover& leftover : leftovers) {
    if (!failed) fs::copy_file(source.path + leftover.ending, path_ + leftover.ending, failed);
    note_ += absl::StrFormat("%s%s%s held %d bytes", note_.empty() ? "" : ", ", source.name,
                             leftover.ending, SizeOf(source.path + leftover.ending));
  }
  if (failed)
    return absl::UnavailableError(
        absl::StrFormat("cannot copy %s to %s: %s", source.name, folder, failed.message()));
  note_ += " that its writer had not merged into the bag: read from a private copy with them";
  return absl::OkStatus();
}

absl::Status MergedBag::Merge(const std::string& name) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path_.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr);
  const agent::base::Handle<sqlite3, sqlite3_close> database(raw);
  if (opened == SQLITE_OK &&
      sqlite3_exec(raw, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;", nullptr,
                   nullptr, nullptr) == SQLITE_OK)
    return absl::OkStatus();
  return absl::DataLossError(absl::StrFormat("%s cannot be merged with what its writer left: %s",
                                             name, sqlite3_errmsg(raw)));
}

}  // namespace gatekeeper::ingest
