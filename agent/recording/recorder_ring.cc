#include "agent/recording/recorder_ring.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace agent::recording {
namespace {

namespace fs = std::filesystem;
namespace v1 = ::gatekeeper::v1;

constexpr std::string_view kPrefix = "flight-";
constexpr std::string_view kSuffix = ".mcap";

// 0 for a name that is not the ring's.
uint64_t NumberOf(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return 0;
  const char* const first = name.data() + kPrefix.size();
  const char* const last = name.data() + name.size() - kSuffix.size();
  if (first >= last) return 0;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(first, last, number);
  return error == std::errc() && end == last ? number : 0;
}

struct RingFile {
  uint64_t number = 0;
  std::string path;
  uint64_t bytes = 0;
  auto operator<=>(const RingFile&) const = default;
};

absl::StatusOr<std::vector<RingFile>> List(const std::string& folder) {
  std::vector<RingFile> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const uint64_t number = NumberOf(it->path().filename().string());
    if (number == 0) continue;
    std::error_code unknown;  // a file that vanishes meanwhile takes no room
    const uint64_t bytes = it->file_size(unknown);
    files.push_back({number, it->path().string(), unknown ? 0 : bytes});
  }
  if (error)
    return absl::UnavailableError(
        absl::StrFormat("cannot list the recorder's folder %s: %s", folder, error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

absl::StatusOr<RecorderRing> RecorderRing::Open(RingOptions options) {
  if (options.max_files == 0 || options.max_file_bytes == 0)
    return absl::InvalidArgumentError("a recorder ring needs room for one file at least");
  std::error_code error;
  fs::create_directories(options.folder, error);
  if (error)
    return absl::UnavailableError(absl::StrFormat("cannot make the recorder's folder %s: %s",
                                                  options.folder, error.message()));
  ASSIGN_OR_RETURN(const std::vector<RingFile> files, List(options.folder));
  RecorderRing ring(std::move(options));
  if (!files.empty()) ring.next_number_ = files.back().number + 1;
  return ring;
}

absl::StatusOr<std::vector<std::string>> RecorderRing::FilesOf(const std::string& folder) {
  ASSIGN_OR_RETURN(const std::vector<RingFile> files, List(folder));
  std::vector<std::string> paths;
  paths.reserve(files.size());
  for (const RingFile& file : files) paths.push_back(file.path);
  return paths;
}

// Makes room first: beside the new file stand at most max_files - 1 others, and no more bytes than
// max_files full ones, whoever wrote them with whatever bounds.
absl::Status RecorderRing::BeginFile() {
  ASSIGN_OR_RETURN(const std::vector<RingFile> files, List(options_.folder));
  uint64_t bytes = 0;
  for (const RingFile& file : files) bytes += file.bytes;
  size_t kept = files.size();
  for (const RingFile& file : files) {
    if (kept < options_.max_files && bytes <= options_.max_files * options_.max_file_bytes) break;
    std::error_code error;
    fs::remove(file.path, error);
    if (error)
      return absl::UnavailableError(
          absl::StrFormat("cannot remove the oldest recording %s: %s", file.path, error.message()));
    bytes -= file.bytes;
    --kept;
  }
  const std::string path =
      absl::StrFormat("%s/%s%06d%s", options_.folder, kPrefix, next_number_, kSuffix);
  absl::StatusOr<ObservationWriter> writer = ObservationWriter::Create(path, options_.recording);
  if (!writer.ok()) {
    std::error_code ignored;
    fs::remove(path, ignored);
    return writer.status();
  }
  ++next_number_;
  current_.emplace(*std::move(writer));
  return absl::OkStatus();
}

absl::Status RecorderRing::MakeReady() {
  if (current_ && current_->bytes_written() >= options_.max_file_bytes) RETURN_IF_ERROR(Rotate());
  return current_ ? absl::OkStatus() : BeginFile();
}

// A message that cannot be recorded costs only itself. Any other error ends the file; one without a
// whole chunk is removed, because empty files must not push good ones out of the ring.
absl::Status RecorderRing::Keep(absl::Status status) {
  if (status.ok() || absl::IsInvalidArgument(status)) return status;
  if (current_->chunks() == 0) {
    std::error_code ignored;
    fs::remove(current_->path(), ignored);
  }
  current_.reset();
  return status;
}

absl::Status RecorderRing::Write(const v1::Observation& observation, base::Nanos received) {
  RETURN_IF_ERROR(MakeReady());
  return Keep(current_->Write(observation, received));
}

absl::Status RecorderRing::Write(const v1::Command& command, base::Nanos at) {
  RETURN_IF_ERROR(MakeReady());
  return Keep(current_->Write(command, at));
}

absl::Status RecorderRing::Write(const v1::TickRecord& tick, base::Nanos at) {
  RETURN_IF_ERROR(MakeReady());
  return Keep(current_->Write(tick, at));
}

absl::Status RecorderRing::WriteMessage(const std::string& topic,
                                        const google::protobuf::Message& message, base::Nanos at) {
  RETURN_IF_ERROR(MakeReady());
  return Keep(current_->WriteMessage(topic, message, at));
}

absl::Status RecorderRing::Flush() {
  if (!current_) return absl::OkStatus();
  return Keep(current_->Flush());
}

absl::Status RecorderRing::Rotate() {
  if (!current_) return absl::OkStatus();
  absl::Status status = Keep(current_->Close());
  current_.reset();
  return status;
}

}  // namespace agent::recording
