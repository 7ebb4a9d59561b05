#include "agent/health/sysfs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <utility>

namespace agent::health {
namespace {

State WhyAbsent(int error) {
  if (error == EACCES || error == EPERM) return State::kNoPermission;
  return error == ENOENT || error == ENOTDIR ? State::kNotAvailable : State::kUnreadable;
}

// The first line in `text`, without blanks at its end.
std::string_view Line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

SysfsNumber::SysfsNumber(const std::string& path)
    : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (!fd_.valid()) absent_ = WhyAbsent(errno);
}

Count SysfsNumber::Read() const {
  if (!fd_.valid()) return {.state = absent_};
  std::array<char, 32> bytes;  // the longest 64-bit integer has 20 characters
  const ssize_t n = pread(fd_.get(), bytes.data(), bytes.size(), 0);
  if (n < 0) {
    // A device that is gone says ENODEV; one that sleeps says EAGAIN, EIO and others.
    return {.state = errno == EACCES || errno == EPERM ? State::kNoPermission : State::kUnreadable};
  }
  const std::string_view text = Line({bytes.data(), static_cast<size_t>(n)});
  Count count{.state = State::kAvailable};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count.value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return {.state = State::kUnreadable};
  }
  return count;
}

std::string SysfsText(const std::string& path) {
  const base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return "";
  std::array<char, 4096> bytes;  // sysfs gives at most a page
  const ssize_t n = pread(fd.get(), bytes.data(), bytes.size(), 0);
  return n <= 0 ? "" : std::string(Line({bytes.data(), static_cast<size_t>(n)}));
}

std::vector<std::string> Numbered(const std::string& folder, std::string_view prefix) {
  std::vector<std::pair<uint32_t, std::string>> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    uint32_t number = 0;
    const char* const last = name.data() + name.size();
    const auto [at, wrong] = std::from_chars(name.data() + prefix.size(), last, number);
    if (wrong == std::errc() && at == last) found.emplace_back(number, it->path().string());
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> paths;
  paths.reserve(found.size());
  for (auto& [number, path] : found) paths.push_back(std::move(path));
  return paths;
}

}  // namespace agent::health
