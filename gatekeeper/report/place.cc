#include "gatekeeper/report/place.h"

#include <filesystem>
#include <string_view>

#include "absl/strings/str_format.h"

namespace gatekeeper::report {
namespace {

namespace fs = std::filesystem;

std::string EscapePath(const std::string& path) {
  constexpr char kPlain[] = "-._~/";
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view(kPlain).find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : absl::StrFormat("%%%02X", static_cast<unsigned char>(c));
  }
  return out;
}

fs::path Whole(const std::string& path, const Place& place) {
  return (fs::path("/") / place.folder / path).lexically_normal();
}

}  // namespace

std::string SourceUri(const std::string& path, const Place& place) {
  const fs::path whole = Whole(path, place);
  const fs::path below = whole.lexically_relative(Whole("", place));
  const bool outside = below.empty() || *below.begin() == ".." ||
                       (place.folder.empty() && fs::path(path).is_absolute());
  if (!outside) return EscapePath(below.generic_string());
  return "file://" + EscapePath(whole.generic_string());
}

std::string LinkTo(const std::string& path, const Place& place) {
  const fs::path from = Whole(place.file, place).parent_path();
  return EscapePath(Whole(path, place).lexically_relative(from).generic_string());
}

}  // namespace gatekeeper::report
