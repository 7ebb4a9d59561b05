#include "tests/support/importers/carmen_lines.h"

#include <cstddef>
#include <numbers>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "agent/base/status_macros.h"

namespace tests::carmen {
namespace {

// The numbers of a line behind its first word, up to the host name in place of the last but one.
absl::StatusOr<std::vector<double>> Numbers(absl::string_view line) {
  std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (words.size() < 3) return absl::DataLossError("a CARMEN line is cut off");
  words.erase(words.end() - 2);
  words.erase(words.begin());
  std::vector<double> numbers;
  for (const absl::string_view word : words) {
    double number = 0;
    if (!absl::SimpleAtod(word, &number))
      return absl::DataLossError("a CARMEN line holds " + std::string(word) + " for a number");
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

// ODOM x y theta tv rv accel ipc_timestamp host logger_timestamp
absl::StatusOr<OdomLine> ParseOdom(absl::string_view line) {
  ASSIGN_OR_RETURN(const std::vector<double> n, Numbers(line));
  if (n.size() != 8) return absl::DataLossError("an ODOM line has not 10 words");
  return OdomLine{{n[0], n[1], n[2]}, {n[3], n[4]}, n[7]};
}

// FLASER count ranges... x y theta odom_x odom_y odom_theta ipc_timestamp host logger_timestamp
absl::StatusOr<ScanLine> ParseScan(absl::string_view line) {
  ASSIGN_OR_RETURN(const std::vector<double> n, Numbers(line));
  if (n.empty() || n[0] < 1 || static_cast<double>(n.size()) != n[0] + 9)
    return absl::DataLossError("a FLASER line has not as many words as its count says");
  const size_t count = n.size() - 9;
  const auto beams = n.begin() + 1;
  const auto poses = beams + static_cast<std::ptrdiff_t>(count);
  return ScanLine{{beams, poses}, {poses[0], poses[1], poses[2]}, n.back()};
}

double ScanLine::increment_rad() const {
  return (ranges.size() > 181 ? 0.5 : 1.0) * std::numbers::pi / 180;
}

}  // namespace tests::carmen
