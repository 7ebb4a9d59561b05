#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gatekeeper/gates/scenario_library.h"

namespace gatekeeper::gates {

inline constexpr size_t kMaxScenarioBytes = 256 * 1024;

// How those of an origin's notes begin that tell what the recording has lost.
inline constexpr char kDamage[] = "damage: ";

// True for what an id or a tag may be: 1 to 120 letters, digits, '.', '_' and '-', neither of the
// last in front.
bool PlainName(std::string_view name);

// One scenario/1 document as it stands in `file`; its recording is looked at by nobody and empty
// where the document names none. kInvalidArgument as LoadScenarios says.
absl::StatusOr<Scenario> ParseScenario(const std::string& text, const std::string& file);

// One file as LoadScenarios reads it. A recording that it does not name is looked for below
// `recordings`, or, when that is empty, below the file's folder.
absl::StatusOr<Scenario> ReadScenario(const std::string& file, const std::string& recordings = "");

// Seconds from the recording's first message to the millisecond behind its last, as `scenario
// import` writes them. kDataLoss: the recording is not the one that the scenario names.
absl::StatusOr<double> LengthOf(const Scenario& scenario);

// Shortest decimal that reads back as the same number, without an exponent.
std::string SecondsText(double seconds);

// "  - {from_s: 0, to_s: 41.5, tags: [corridor]}\n", `indent` before the dash.
std::string SegmentLine(const v1::Segment& segment, const std::string& indent = "  ");

}  // namespace gatekeeper::gates
