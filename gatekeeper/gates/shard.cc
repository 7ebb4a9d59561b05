#include "gatekeeper/gates/shard.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/recording/compression.h"
#include "agent/recording/zstd_file.h"
#include "gatekeeper/gates/digest_bytes.h"

namespace gatekeeper::gates {
namespace {

constexpr char kSchema[] = "gate_shard/1";
constexpr std::string_view kHead("GKSHARD1\n", 9);
constexpr std::string_view kTail("\nGKSHARDEND\n", 12);
constexpr size_t kFooter =
    8 + kDigestSize + kTail.size();  // index offset, SHA-256 of all before it
constexpr uint64_t kMaxIndex = uint64_t{256} << 20;
constexpr uint64_t kMaxEntry = kMaxResult + kMaxResult / 8;

std::string LittleEndian(uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

uint64_t FromLittleEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i)
    value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  return value;
}

absl::Status Damaged(const std::string& path, const char* what) {
  return absl::DataLossError(absl::StrFormat("shard %s %s; make that shard again", path, what));
}

absl::Status ReadAt(int fd, uint64_t offset, char* to, size_t size, const std::string& path) {
  while (size > 0) {
    const ssize_t n = pread(fd, to, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, "reading shard " + path);
    if (n == 0) return Damaged(path, "is cut off");
    to += n;
    size -= static_cast<size_t>(n);
    offset += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<agent::base::Digest> DigestOf(int fd, uint64_t size, const std::string& path) {
  agent::trust::Sha256Stream stream;
  std::string room(1 << 20, '\0');
  for (uint64_t at = 0; at < size;) {
    const auto n = static_cast<size_t>(std::min<uint64_t>(room.size(), size - at));
    RETURN_IF_ERROR(ReadAt(fd, at, room.data(), n, path));
    stream.Update(std::string_view(room).substr(0, n));
    at += n;
  }
  return stream.Finish();
}

absl::Status CheckIndex(const v1::ShardIndex& index, uint64_t end, const std::string& path) {
  if (index.schema() != kSchema) return Damaged(path, "has an index of another version");
  if (index.count() < 1 || index.count() > kMostParts || index.number() < 1 ||
      index.number() > index.count()) {
    return Damaged(path, "has no meaningful number");
  }
  if (index.intact_size() != index.scenarios_size())
    return Damaged(path, "does not say which recordings are intact");
  for (const v1::ShardEntry& entry : index.entries()) {
    if (entry.size() > kMaxEntry || entry.offset() > end || entry.size() > end - entry.offset())
      return Damaged(path, "names results beyond its end");
  }
  return absl::OkStatus();
}

// What must be the same in all shards, with a word for each.
absl::Status CheckAlike(const ShardFile& first, const ShardFile& other) {
  const v1::ShardIndex& a = first.index();
  const v1::ShardIndex& b = other.index();
  const std::array<std::array<std::string, 3>, 8> facts = {{
      {"unit", a.unit_sha256(), b.unit_sha256()},
      {"unit to compare with", a.deployed_sha256(), b.deployed_sha256()},
      {"suite", a.plan().suite_sha256(), b.plan().suite_sha256()},
      {"scenario library", a.plan().library_sha256(), b.plan().library_sha256()},
      {"engine", a.engine() + a.deployed_engine(), b.engine() + b.deployed_engine()},
      {"plan", a.plan().sha256(), b.plan().sha256()},
      {"gatekeeper program", a.program_sha256(), b.program_sha256()},
      {"reason why the model was refused", a.model_refused(), b.model_refused()},
  }};
  for (const auto& [what, ours, theirs] : facts) {
    if (ours == theirs) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "shards %s and %s do not belong together: their %s differs (%s and %s); make both again "
        "with the same one",
        first.path(), other.path(), what, ours.empty() ? "none" : ours,
        theirs.empty() ? "none" : theirs));
  }
  return absl::OkStatus();
}

// Every number from 1 to count once. `files` are sorted by number.
absl::Status CheckNumbers(const std::vector<ShardFile>& files) {
  const uint32_t count = files.front().index().count();
  std::vector<std::string> missing;
  size_t next = 0;
  for (uint32_t number = 1; number <= count; ++number) {
    if (next == files.size() || files[next].index().number() != number) {
      missing.push_back(absl::StrFormat("%d/%d", number, count));
      continue;
    }
    ++next;
    if (next < files.size() && files[next].index().number() == number) {
      return absl::InvalidArgumentError(
          absl::StrFormat("shard %d/%d is there twice: %s and %s; give one of them", number, count,
                          files[next - 1].path(), files[next].path()));
    }
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "%d of %d shards are missing: %s; a verdict needs all of them", missing.size(), count,
      absl::StrJoin(missing.begin(), missing.begin() + std::min<long>(10, std::ssize(missing)),
                    ", ")));
}

// What writers of this shard left that were killed: a part that nobody holds.
void RemoveAbandoned(const std::string& path) {
  const std::filesystem::path shard(path);
  const std::string head = shard.filename().string() + ".";
  const std::filesystem::path folder = shard.has_parent_path() ? shard.parent_path() : ".";
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = file.path().filename().string();
    if (name.compare(0, head.size(), head) != 0 || file.path().extension() != ".part") continue;
    const agent::base::UniqueFd fd(open(file.path().c_str(), O_WRONLY | O_CLOEXEC));
    if (fd.valid() && flock(fd.get(), LOCK_EX | LOCK_NB) == 0) unlink(file.path().c_str());
  }
}

}  // namespace

ShardWriter::ShardWriter(std::string path, std::string part, agent::base::UniqueFd fd,
                         KeptResults* cache)
    : path_(std::move(path)), part_(std::move(part)), fd_(std::move(fd)), cache_(cache) {
  status_ = Write(kHead);
}

ShardWriter::~ShardWriter() {
  if (fd_.valid()) unlink(part_.c_str());
}

absl::StatusOr<std::unique_ptr<ShardWriter>> ShardWriter::Create(const std::string& path,
                                                                 KeptResults* cache) {
  RemoveAbandoned(path);
  const std::string part = absl::StrFormat("%s.%d.part", path, getpid());
  agent::base::UniqueFd fd(open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "creating " + part);
  flock(fd.get(), LOCK_EX | LOCK_NB);  // goes with the process; without it the part may be removed
  return std::unique_ptr<ShardWriter>(new ShardWriter(path, part, std::move(fd), cache));
}

std::optional<v1::KeptResult> ShardWriter::Find(const ResultKey& key) {
  if (cache_ == nullptr) return std::nullopt;
  auto kept = cache_->Find(key);
  if (kept.has_value()) Add(key, *kept);
  return kept;
}

void ShardWriter::Keep(const ResultKey& key, const v1::KeptResult& result) {
  if (cache_ != nullptr) cache_->Keep(key, result);
  Add(key, result);
}

void ShardWriter::Add(const ResultKey& key, const v1::KeptResult& result) {
  const auto bytes = SealResult(key, result);
  const std::lock_guard lock(mutex_);
  if (!status_.ok()) return;
  status_ = bytes.status();
  if (!status_.ok()) return;
  v1::ShardEntry& entry = *index_.add_entries();
  entry.set_key_sha256(agent::trust::Sha256(key.Text()).hex());
  entry.set_offset(size_);
  entry.set_size(bytes->size());
  status_ = Write(*bytes);
}

absl::Status ShardWriter::Write(std::string_view bytes) {
  digest_.Update(bytes);
  size_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t n = write(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, "writing shard " + part_);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status ShardWriter::Finish(v1::ShardIndex index) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(status_);
  index.set_schema(kSchema);
  index.mutable_entries()->Swap(index_.mutable_entries());
  const uint64_t offset = size_;
  ASSIGN_OR_RETURN(
      const std::string packed,
      agent::recording::Compress(agent::recording::Compression::kZstd, index.SerializeAsString()));
  RETURN_IF_ERROR(Write(packed));
  RETURN_IF_ERROR(Write(LittleEndian(offset)));
  const agent::base::Digest digest = digest_.Finish();
  digest_ = agent::trust::Sha256Stream();
  RETURN_IF_ERROR(Write(View(digest)));
  RETURN_IF_ERROR(Write(kTail));
  if (fsync(fd_.get()) != 0) return absl::ErrnoToStatus(errno, "writing shard " + part_);
  fd_.reset();
  return agent::base::OsFiles().Rename(part_, path_);
}

absl::StatusOr<ShardFile> ShardFile::Open(const std::string& path) {
  ShardFile file;
  file.path_ = path;
  file.fd_ = agent::base::UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.fd_.valid()) return absl::ErrnoToStatus(errno, "opening shard " + path);
  const off_t size = lseek(file.fd_.get(), 0, SEEK_END);
  if (size < static_cast<off_t>(kHead.size() + kFooter))
    return Damaged(path, "is cut off, or no shard");
  const uint64_t end = static_cast<uint64_t>(size) - kFooter;
  std::string head(kHead.size(), '\0');
  std::string footer(kFooter, '\0');
  RETURN_IF_ERROR(ReadAt(file.fd_.get(), 0, head.data(), head.size(), path));
  RETURN_IF_ERROR(ReadAt(file.fd_.get(), end, footer.data(), footer.size(), path));
  if (head != kHead) return Damaged(path, "is no shard");
  if (footer.substr(8 + kDigestSize) != kTail) return Damaged(path, "is cut off");
  const uint64_t index_at = FromLittleEndian(footer);
  if (index_at > end || end - index_at > kMaxIndex) return Damaged(path, "has no index");
  // The offset counts as written before the digest.
  ASSIGN_OR_RETURN(const agent::base::Digest digest, DigestOf(file.fd_.get(), end + 8, path));
  if (View(digest) != std::string_view(footer).substr(8, kDigestSize))
    return Damaged(path, "does not match its digest");
  std::string packed(static_cast<size_t>(end - index_at), '\0');
  RETURN_IF_ERROR(ReadAt(file.fd_.get(), index_at, packed.data(), packed.size(), path));
  ASSIGN_OR_RETURN(const agent::recording::Buffer plain,
                   agent::recording::UnpackZstdFrame(packed, kMaxIndex));
  if (!file.index_.ParseFromArray(plain.bytes.get(), static_cast<int>(plain.size)))
    return Damaged(path, "has an index that does not parse");
  RETURN_IF_ERROR(CheckIndex(file.index_, index_at, path));
  return file;
}

absl::StatusOr<std::string> ShardFile::Read(const v1::ShardEntry& entry) const {
  std::string bytes(static_cast<size_t>(entry.size()), '\0');
  RETURN_IF_ERROR(ReadAt(fd_.get(), entry.offset(), bytes.data(), bytes.size(), path_));
  return bytes;
}

absl::StatusOr<std::unique_ptr<ShardSet>> ShardSet::Open(const std::vector<std::string>& paths) {
  if (paths.empty()) return absl::InvalidArgumentError("there is no shard to merge");
  auto set = std::make_unique<ShardSet>();
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(ShardFile file, ShardFile::Open(path));
    set->files_.push_back(std::move(file));
  }
  for (const ShardFile& file : set->files_) {
    if (file.index().count() == set->common().count()) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "shard %s is one of %d, %s one of %d: they are of two runs", set->files_.front().path(),
        set->common().count(), file.path(), file.index().count()));
  }
  std::sort(set->files_.begin(), set->files_.end(), [](const ShardFile& a, const ShardFile& b) {
    return a.index().number() < b.index().number();
  });
  RETURN_IF_ERROR(CheckNumbers(set->files_));
  for (const ShardFile& file : set->files_) RETURN_IF_ERROR(CheckAlike(set->files_.front(), file));
  for (size_t i = 0; i < set->files_.size(); ++i) {
    for (const v1::ShardEntry& entry : set->files_[i].index().entries())
      set->places_[entry.key_sha256()] = {i, &entry};
  }
  return set;
}

std::optional<v1::KeptResult> ShardSet::Find(const ResultKey& key) {
  const auto found = places_.find(agent::trust::Sha256(key.Text()).hex());
  if (found == places_.end()) return std::nullopt;
  const auto bytes = files_[found->second.file].Read(*found->second.entry);
  if (!bytes.ok()) return std::nullopt;
  auto result = OpenResult(key, *bytes);
  if (!result.ok()) return std::nullopt;
  return *std::move(result);
}

}  // namespace gatekeeper::gates
