#include "gatekeeper/source/lfs_pointer.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "agent/base/digest.h"

namespace gatekeeper::source {
namespace {

constexpr size_t kMaxPointer = 1024;  // the specification's own bound
constexpr std::string_view kVersion = "version https://git-lfs.github.com/spec/v1\n";
constexpr std::string_view kOid = "oid sha256:";
constexpr std::string_view kSize = "size ";

bool Take(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<LfsPointer> ParseLfsPointer(std::string_view bytes) {
  if (bytes.size() > kMaxPointer || !Take(bytes, kVersion)) return std::nullopt;
  LfsPointer pointer;
  bool has_size = false;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (Take(line, kOid)) {
      if (!agent::base::Digest::Parse(line).ok()) return std::nullopt;
      pointer.oid = std::string(line);
    } else if (Take(line, kSize)) {
      has_size = absl::SimpleAtoi(std::string(line), &pointer.size);
    }
  }
  if (pointer.oid.empty() || !has_size) return std::nullopt;
  return pointer;
}

}  // namespace gatekeeper::source
