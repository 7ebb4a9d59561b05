#include <cmath>
#include <cstring>

#include "agent/monitor/monitor.h"
#include "tests/fuzz/target.h"

// A line of formula, then bytes that are its samples.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 4'000'000, .per_input_byte = 64};

std::vector<std::string> fuzz::Seeds() {
  const std::string samples = "\x10\x02\x03\x20\x05\x06\x30\x08\x09\xff\x00\x01\x11\xfe\xfd";
  std::vector<std::string> seeds;
  for (const char* formula :
       {"vx < 0.3 -> eventually[0,0.5](wz <= -1e-3)", "always[0,2](abs(vx) - 2 * wz > .5)",
        "not (vx > 0 until[0.2,1] wz == 1) or once[0,3] vx != 2",
        "historically[0.1,0.4](min(vx, wz) >= 0) and (vx > 0 since[0,1] max(vx, -wz) < 1)"}) {
    seeds.push_back(std::string(formula) + "\n" + samples);
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::string> names = {"vx", "wz"};
  const std::string_view input = fuzz::Text(data, size);
  const size_t line = std::min(input.find('\n'), input.size());
  const auto formula = agent::monitor::Formula::Parse(
      input.substr(0, line), names,
      {.min_gap = std::chrono::milliseconds(10), .max_gap = std::chrono::milliseconds(150)});
  if (!formula.ok()) return 0;
  agent::monitor::Monitor monitor(*formula);
  agent::base::Nanos now{};
  for (size_t at = line + 1; at + 3 <= size; at += 3) {
    now += std::chrono::milliseconds(data[at]);
    std::vector<agent::monitor::Reading> readings;
    for (size_t i = 1; i < 3; ++i) {
      const uint8_t byte = data[at + i];
      readings.emplace_back(byte * 0.05 - 5);
      if (byte == 255) readings.back() = std::nan("");
      if (byte == 254) readings.back().reset();
    }
    for (const agent::monitor::Outcome& outcome : monitor.Step(now, readings)) {
      const bool unknown = outcome.verdict == agent::monitor::Verdict::kUnknown;
      fuzz::Check(unknown == std::isnan(outcome.robustness), "a verdict without its margin");
      const bool holds = outcome.verdict == agent::monitor::Verdict::kHolds;
      fuzz::Check(unknown || holds != std::signbit(outcome.robustness), "a margin of wrong sign");
    }
  }
  return 0;
}
