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

GateProgress::GateProgress()
    : terminal_(isatty(STDERR_FILENO) == 1), began_(Clock::now()), told_(began_) {}

void GateProgress::Tell(const gates::FarmProgress& progress) {
  const Clock::time_point now = Clock::now();
  if (progress.done == 0) {
    ++step_;
    began_ = now;
  }
  if (now - told_ < (terminal_ ? kOnTerminal : kInLog)) return;
  told_ = now;
  const double elapsed_s = std::chrono::duration<double>(now - began_).count();
  const std::string line = ProgressLine(step_, progress, elapsed_s);
  std::fprintf(stderr, terminal_ ? "%s%s" : "%s%s\n", terminal_ ? kClearLine : "", line.c_str());
  shown_ = terminal_;
}

void GateProgress::End() {
  if (shown_) std::fputs(kClearLine, stderr);
  shown_ = false;
}

}  // namespace gatekeeper::cli
