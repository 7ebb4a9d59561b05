#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "agent/base/files.h"

namespace tests {

// A file system in memory whose power can be cut in the middle of any write that reaches the disk.
// Bytes that were only appended, not synced, are gone after a cut.
class CrashFiles final : public agent::base::Files {
 public:
  // How a cut leaves the write it interrupts.
  enum class Cut { kBefore, kTorn, kAfter };

  // --- trouble to come ---
  void TearNextOverwrite(size_t bytes) { torn_ = bytes; }
  void LoseNextOverwrite() { lose_ = true; }  // the disk says yes and forgets
  void FailReads(int times) { failing_reads_ = times; }
  void FillDisk(bool full = true) { full_ = full; }
  // At the n-th durable write from now (0 is the next) the power goes.
  void CutPowerAt(size_t nth, Cut how) {
    cut_at_ = writes_ + nth;
    cut_ = how;
  }
  // The power is back; what was not synced is not.
  void Restart() {
    dead_ = false;
    cut_at_.reset();
    unsynced_.clear();
  }
  bool dead() const { return dead_; }
  size_t writes() const { return writes_; }
  size_t overwrites() const { return overwrites_; }  // that were tried

  // --- Files ---
  absl::StatusOr<std::string> Read(const std::string& path, size_t cap) const override {
    if (dead_) return Dead();
    if (failing_reads_ > 0) {
      --failing_reads_;
      return absl::InternalError("read " + path + ": Input/output error");
    }
    const auto at = disk_.find(path);
    if (at == disk_.end()) return absl::NotFoundError(path);
    if (at->second.size() > cap) return absl::ResourceExhaustedError(path);
    return at->second;
  }
  absl::Status WriteDurably(const std::string& path, std::string_view bytes, int) override {
    if (full_) return Full(path);
    return Durably([&](Cut how) {
      if (how == Cut::kAfter) disk_[path] = std::string(bytes);  // a rename is never torn
    });
  }
  absl::Status Overwrite(const std::string& path, size_t offset, std::string_view bytes) override {
    const auto at = disk_.find(path);
    if (at == disk_.end()) return absl::NotFoundError(path);
    if (at->second.size() < offset + bytes.size()) return absl::FailedPreconditionError(path);
    if (std::exchange(lose_, false)) return absl::OkStatus();
    ++overwrites_;
    if (failing_overwrites_) return absl::InternalError("write " + path + ": Input/output error");
    if (torn_) {
      const size_t kept = *std::exchange(torn_, std::nullopt);
      at->second.replace(offset, kept, bytes.substr(0, kept));
      return absl::InternalError("write " + path + ": Input/output error");
    }
    return Durably([&](Cut how) {
      const size_t kept = how == Cut::kBefore ? 0
                          : how == Cut::kTorn ? bytes.size() / 2
                                              : bytes.size();
      at->second.replace(offset, kept, bytes.substr(0, kept));
    });
  }
  absl::Status Append(const std::string& path, std::string_view bytes) override {
    unsynced_[path].append(bytes);
    return absl::OkStatus();
  }
  absl::Status Sync(const std::string& path) override {
    disk_[path].append(std::exchange(unsynced_[path], ""));
    return absl::OkStatus();
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Durably([&](Cut how) {
      if (how == Cut::kAfter) disk_[to] = disk_[from], disk_.erase(from);
    });
  }
  absl::Status MakeFolders(const std::string&) override { return absl::OkStatus(); }
  absl::Status RemoveAll(const std::string& path) override {
    if (dead_) return Dead();
    std::erase_if(disk_, [&path](const auto& file) {
      return file.first == path || file.first.starts_with(path + "/");
    });
    return absl::OkStatus();
  }
  bool Exists(const std::string& path) const override { return disk_.contains(path); }
  absl::StatusOr<size_t> Size(const std::string& path) const override {
    return disk_.contains(path) ? absl::StatusOr<size_t>(disk_.at(path).size())
                                : absl::NotFoundError(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string&) const override {
    return std::vector<std::string>();
  }

  // Somebody else puts a file there.
  void Put(const std::string& path, const std::string& bytes) { disk_[path] = bytes; }
  void FailOverwrites(bool failing) { failing_overwrites_ = failing; }
  void Damage(const std::string& path, size_t offset) {
    disk_[path][offset] = static_cast<char>(disk_[path][offset] ^ 0x40);
  }

 private:
  static absl::Status Dead() { return absl::UnavailableError("the power is off"); }
  static absl::Status Full(const std::string& path) {
    return absl::ResourceExhaustedError("write " + path + ": No space left on device");
  }

  template <class Write>
  absl::Status Durably(Write write) {
    if (dead_) return Dead();
    const bool cut = cut_at_ == writes_++;
    write(cut ? cut_ : Cut::kAfter);
    dead_ = cut;
    return cut ? Dead() : absl::OkStatus();
  }

  std::map<std::string, std::string> disk_;
  std::map<std::string, std::string> unsynced_;
  std::optional<size_t> torn_;
  bool lose_ = false;
  bool full_ = false;
  bool failing_overwrites_ = false;
  size_t overwrites_ = 0;
  mutable int failing_reads_ = 0;
  size_t writes_ = 0;
  std::optional<size_t> cut_at_;
  Cut cut_ = Cut::kBefore;
  bool dead_ = false;
};

}  // namespace tests
