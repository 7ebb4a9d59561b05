#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/files.h"

namespace tests {

// Thrown where the process is killed. Only tests throw; what was alive then is dropped without a
// word.
struct Killed {};

// Burns one step at every effect on the outside world and kills the process at the n-th.
class Fuse {
 public:
  void Set(int steps) { left_ = steps; }
  void Remove() { left_.reset(); }
  void Burn() {
    ++burned_;
    if (left_ && (*left_)-- == 0) {
      left_.reset();
      throw Killed{};
    }
  }
  int burned() const { return burned_; }

 private:
  std::optional<int> left_;
  int burned_ = 0;
};

// The real file system behind a fuse; the disk may be full.
class FusedFiles final : public agent::base::Files {
 public:
  explicit FusedFiles(Fuse& fuse) : fuse_(fuse) {}
  void FillDisk(bool full) { full_ = full; }

  absl::StatusOr<std::string> Read(const std::string& path, size_t cap) const override {
    return files_.Read(path, cap);
  }
  absl::Status WriteDurably(const std::string& path, std::string_view bytes, int mode) override {
    return Do(path, [&] { return files_.WriteDurably(path, bytes, mode); });
  }
  absl::Status Overwrite(const std::string& path, size_t offset, std::string_view bytes) override {
    return Do(path, [&] { return files_.Overwrite(path, offset, bytes); });
  }
  absl::Status Append(const std::string& path, std::string_view bytes) override {
    if (full_) return Full(path);
    fuse_.Burn();
    // A kill in the middle leaves half of it.
    const absl::Status half = files_.Append(path, bytes.substr(0, bytes.size() / 2));
    if (!half.ok()) return half;
    fuse_.Burn();
    return files_.Append(path, bytes.substr(bytes.size() / 2));
  }
  absl::Status Sync(const std::string& path) override { return files_.Sync(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    fuse_.Burn();
    const absl::Status status = files_.Rename(from, to);
    fuse_.Burn();
    return status;
  }
  absl::Status MakeFolders(const std::string& path) override {
    return Do(path, [&] { return files_.MakeFolders(path); });
  }
  absl::Status RemoveAll(const std::string& path) override {
    fuse_.Burn();
    return files_.RemoveAll(path);
  }
  bool Exists(const std::string& path) const override { return files_.Exists(path); }
  absl::StatusOr<size_t> Size(const std::string& path) const override { return files_.Size(path); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) const override {
    return files_.List(folder);
  }

 private:
  static absl::Status Full(const std::string& path) {
    return absl::ResourceExhaustedError("write " + path + ": No space left on device");
  }
  template <class Work>
  absl::Status Do(const std::string& path, Work work) {
    if (full_) return Full(path);
    fuse_.Burn();
    return work();
  }

  agent::base::OsFiles files_;
  Fuse& fuse_;
  bool full_ = false;
};

}  // namespace tests
