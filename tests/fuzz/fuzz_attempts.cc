#include <unistd.h>

#include <fstream>

#include "agent/trust/hash.h"
#include "gatekeeper/gates/attempts.h"
#include "tests/fuzz/target.h"

// The count of gate runs, as a file that somebody edited: raw, and with its chain made good again,
// which anybody can who knows SHA-256.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 131'072, .per_input_byte = 256};

namespace {

using gatekeeper::gates::AttemptLog;

constexpr char kUnit[] = "nav@1.0.0";
constexpr char kSuite[] = "hall";

// Where a sync costs nothing.
std::string LogPath() { return "/dev/shm/fuzz_attempts." + std::to_string(getpid()); }

struct Removal {
  ~Removal() { unlink(LogPath().c_str()); }
};

std::string Chained(std::string_view rows) {
  std::string text;
  std::string last(64, '0');
  while (!rows.empty()) {
    const size_t end = rows.find('\n');
    const std::string row(rows.substr(0, end));
    rows.remove_prefix(end == std::string_view::npos ? rows.size() : end + 1);
    last = agent::trust::Sha256(last + row).hex();
    text += last + " " + row + "\n";
  }
  return text;
}

void Begin(const std::string& text) {
  static const Removal at_end;
  const AttemptLog log(LogPath());
  {
    const fuzz::Unmeasured writing;
    std::ofstream(LogPath(), std::ios::binary | std::ios::trunc) << text;
  }
  const auto first = log.Begin(kUnit, kSuite, "plan", 1);
  if (!first.ok()) return;
  fuzz::Check(first->number >= 1 && first->failed_before < first->number,
              "more failed attempts than there were");
  const auto second = log.Begin(kUnit, kSuite, "plan", 2);
  fuzz::Check(second.ok(), "what was counted upon cannot be read");
  fuzz::Check(second->number == first->number + 1, "an attempt was not counted");
  fuzz::Check(second->failed_before == first->failed_before + 1,
              "an attempt that has not ended has not failed");
}

std::string Row(const std::string& event, int attempt, const std::string& rest) {
  return "{\"attempt\":" + std::to_string(attempt) + ",\"event\":\"" + event + "\"" + rest +
         ",\"suite\":\"hall\",\"unit\":\"nav@1.0.0\",\"wall_ms\":5}";
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  const std::string rows = Row("begin", 1, "") + "\n" + Row("end", 1, ",\"outcome\":\"FAIL\"") +
                           "\n" + Row("begin", 2, "") + "\n" +
                           Row("end", 2, ",\"outcome\":\"PASS\"") + "\n";
  return {rows, Row("end", 2147483647, ",\"outcome\":\"PASS\"") + "\n", Chained(rows)};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = fuzz::Text(data, size);
  Begin(std::string(input));
  std::string chained;
  {
    const fuzz::Unmeasured forging;
    chained = Chained(input);
  }
  Begin(chained);
  return 0;
}
