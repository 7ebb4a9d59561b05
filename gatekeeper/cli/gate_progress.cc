#include "gatekeeper/cli/gate_progress.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_format.h"

namespace gatekeeper::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kOnTerminal(100);
constexpr milliseconds kInLog(10'000);
constexpr char kClearLine[] = "\r\x1b[K";

}  // namespace

std::string ProgressLine(int step, const gates::FarmProgress& progress, double elapsed_s) {
  std::string line =
      absl::StrFormat("step %d: replay %d of %d", step, progress.done, progress.jobs);
  if (progress.done == 0) return line;
  const double each_s = elapsed_s / static_cast<double>(progress.done);
  return line + absl::StrFormat(", %.0f s left",
                                each_s * static_cast<double>(progress.jobs - progress.done));
}

std::string ProgressLine(const defects::AuditProgress& progress, double elapsed_s) {
  constexpr double kMinute_s = 60;
  std::string line =
      absl::StrFormat("%s: defect %d of %d, %d killed", progress.in_rules ? "rules" : "scenarios",
                      progress.done, progress.of, progress.killed);
  if (progress.done == 0) return line;
  const double left_s = elapsed_s / static_cast<double>(progress.done) *
                        static_cast<double>(progress.of - progress.done);
  return line + (left_s < 2 * kMinute_s ? absl::StrFormat(", %.0f s left", left_s)
                                        : absl::StrFormat(", %.0f min left", left_s / kMinute_s));
}

GateProgress::GateProgress()
    : terminal_(isatty(STDERR_FILENO) == 1), began_(Clock::now()), told_(began_) {}

bool GateProgress::IsTime(Clock::time_point now) const {
  return now - told_ >= (terminal_ ? kOnTerminal : kInLog);
}

double GateProgress::Elapsed_s(Clock::time_point now) const {
  return std::chrono::duration<double>(now - began_).count();
}

void GateProgress::Show(const std::string& line, Clock::time_point now) {
  told_ = now;
  std::fprintf(stderr, terminal_ ? "%s%s" : "%s%s\n", terminal_ ? kClearLine : "", line.c_str());
  shown_ = terminal_;
}

void GateProgress::Tell(const gates::FarmProgress& progress) {
  const Clock::time_point now = Clock::now();
  if (progress.done == 0) {
    ++step_;
    began_ = now;
  }
  if (IsTime(now)) Show(ProgressLine(step_, progress, Elapsed_s(now)), now);
}

void GateProgress::Tell(const defects::AuditProgress& progress) {
  const Clock::time_point now = Clock::now();
  if (progress.done == 0) began_ = now;
  if (IsTime(now)) Show(ProgressLine(progress, Elapsed_s(now)), now);
}

void GateProgress::End() {
  if (shown_) std::fputs(kClearLine, stderr);
  shown_ = false;
}

}  // namespace gatekeeper::cli
