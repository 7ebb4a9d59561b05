#include "gatekeeper/gates/attempts.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/base/file_lock.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/base/unique_fd.h"
#include "agent/trust/hash.h"
#include "agent/trust/json_fields.h"
#include "gatekeeper/gates/digest_bytes.h"

// A line: 64 hex digits of SHA-256(the 64 digits of the line before + the JSON), a space, the JSON.

namespace gatekeeper::gates {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxLog = 256 << 20;  // a million runs

std::string Chain(const std::string& before, const std::string& json) {
  return agent::trust::Sha256(before + json).hex();
}

// The log as it stands, its chain proved.
struct Read {
  std::string last = std::string(kHex, '0');  // what the next line follows
  size_t whole = 0;                           // bytes up to the last complete line
  size_t size = 0;
  std::vector<Json> entries;
};

absl::StatusOr<Read> ReadLog(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, agent::base::OsFiles().Read(path, kMaxLog));
  Read log;
  log.size = text.size();
  int line = 0;
  // What follows the last line's end was being written when the power went: it never counted.
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', log.whole)) {
    ++line;
    const std::string row = text.substr(log.whole, end - log.whole);
    const std::string json =
        row.size() > kHex + 1 && row[kHex] == ' ' ? row.substr(kHex + 1) : std::string();
    if (row.substr(0, kHex) != Chain(log.last, json)) {
      return absl::DataLossError(absl::StrFormat(
          "%s:%d does not follow from the lines before it: the count of gate runs was edited. "
          "Restore the file from a backup, or move it away and answer for counting from 1 again",
          path, line));
    }
    ASSIGN_OR_RETURN(Json entry,
                     agent::base::ParseStrictJson(json, absl::StrFormat("%s:%d", path, line)));
    log.entries.push_back(std::move(entry));
    log.last = row.substr(0, kHex);
    log.whole = end + 1;
  }
  return log;
}

absl::Status AppendEntry(const agent::base::UniqueFd& fd, const std::string& path, const Read& log,
                         const Json& entry) {
  if (log.whole < log.size && ftruncate(fd.get(), static_cast<off_t>(log.whole)) != 0) {
    return absl::UnavailableError(absl::StrFormat("%s: %s", path, strerror(errno)));
  }
  const std::string json = agent::base::CanonicalJson(entry);
  agent::base::OsFiles files;
  RETURN_IF_ERROR(files.Append(path, absl::StrCat(Chain(log.last, json), " ", json, "\n")));
  RETURN_IF_ERROR(files.Sync(path));
  return files.Sync(std::filesystem::absolute(path).parent_path().string());
}

std::string Text(const Json& entry, const char* pointer) {
  const Json& value = agent::trust::At(entry, pointer);
  return value.is_string() ? value.get<std::string>() : std::string();
}

// Of name@version.
std::string NameOf(const std::string& unit) { return unit.substr(0, unit.find('@')); }

Json Entry(const char* event, const Attempt& attempt, int64_t wall_ms) {
  return {{"event", event},
          {"unit", attempt.unit},
          {"suite", attempt.suite},
          {"attempt", attempt.number},
          {"wall_ms", wall_ms}};
}

}  // namespace

absl::StatusOr<Attempt> AttemptLog::Begin(const std::string& unit, const std::string& suite,
                                          const std::string& plan_sha256, int64_t wall_ms) const {
  ASSIGN_OR_RETURN(const agent::base::UniqueFd fd, agent::base::WaitForLock(path_));
  ASSIGN_OR_RETURN(const Read log, ReadLog(path_));
  Attempt attempt{.unit = unit, .suite = suite};
  std::set<uint32_t> passed;
  for (const Json& entry : log.entries) {
    const std::string other = Text(entry, "/unit");
    if (NameOf(other) != NameOf(unit) || Text(entry, "/suite") != suite) continue;
    const bool begins = Text(entry, "/event") == "begin";
    const bool passes = Text(entry, "/outcome") == "PASS";
    if (begins) ++attempt.failed_since_pass;
    if (passes) attempt.failed_since_pass = 0;
    if (other != unit) continue;
    if (begins) ++attempt.number;
    const Json& number = agent::trust::At(entry, "/attempt");
    // Of an attempt that has begun: nothing else can have passed, whatever a line says.
    if (passes && number.is_number_unsigned() && number >= 1U && number <= attempt.number) {
      passed.insert(number.get<uint32_t>());
    }
  }
  attempt.failed_before = attempt.number - static_cast<uint32_t>(passed.size());
  ++attempt.number;
  Json entry = Entry("begin", attempt, wall_ms);
  entry["plan"] = plan_sha256;
  RETURN_IF_ERROR(AppendEntry(fd, path_, log, entry));
  return attempt;
}

absl::Status AttemptLog::End(const Attempt& attempt, v1::GateOutcome outcome,
                             int64_t wall_ms) const {
  ASSIGN_OR_RETURN(const agent::base::UniqueFd fd, agent::base::WaitForLock(path_));
  ASSIGN_OR_RETURN(const Read log, ReadLog(path_));
  Json entry = Entry("end", attempt, wall_ms);
  entry["outcome"] = v1::GateOutcome_Name(outcome);
  return AppendEntry(fd, path_, log, entry);
}

}  // namespace gatekeeper::gates
