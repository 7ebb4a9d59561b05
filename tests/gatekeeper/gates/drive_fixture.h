#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/model.h"
#include "agent/runtime/unit_rules.h"
#include "gatekeeper/gates/policy_files.h"
#include "gatekeeper/gates/scenario_library.h"
#include "gatekeeper/gates/test_bench.h"
#include "proto/fallback.pb.h"
#include "proto/gates.pb.h"
#include "proto/policy.pb.h"

// A small robot world for the gates' tests: a diff-drive robot in a hall of 40 m by 20 m whose
// driver steers by the bearing of the goal, wz = 0.5 * bearing at 0.4 m/s. Channels: scan, odom,
// goal_bearing_rad, dust.

namespace tests {

inline constexpr int64_t kDriveStart_ns = 1'000'000'000'000;

// The documents, as they stand in a unit.
std::string CardYaml();
std::string PolicyYaml();
std::string FallbackYaml();
// A suite that the well-behaved unit passes with 6 clips of 6 s.
std::string SuiteYaml();
// A hall around that one, whose robots are certified for more than they do here. A suite that lies
// beside it in site.yaml names it by kSiteBeside.
std::string SiteYaml();
inline constexpr char kSiteBeside[] = "site: site.yaml\n";
gatekeeper::gates::PolicyFiles AtSite();  // what is read beside such a suite
// Writes `suite_yaml` and the line to `folder`/suite.yaml, and the site.
void WriteSuite(const std::string& folder, const std::string& suite_yaml);

gatekeeper::v1::ControlPolicy PolicyDocument();
gatekeeper::v1::FallbackRules FallbackDocument();
gatekeeper::v1::GateSuite SuiteDocument();

// A model in code: (bearing, vx, dust) -> (vx, wz).
using Driver = std::function<std::pair<double, double>(double bearing, double vx, double dust)>;
std::unique_ptr<agent::base::Model> MakeModel(Driver driver);
std::unique_ptr<gatekeeper::gates::TestBench> MakeBench(Driver driver);
std::pair<double, double> GoodDriver(double bearing, double vx, double dust);

struct DriveOptions {
  double seconds = 6;
  int number = 0;             // varies the path a little
  double dusty_from_s = 1e9;  // from here on the signal `dust` is 1
  bool commands = true;       // what the driver did is recorded
  double start_x_m = 5;
  std::string without;              // a channel that is never sent
  double backward_stamp_at_s = -1;  // the scan's stamps jump back here by 50 ms, once
};
// Records a drive at 20 Hz. Returns its SHA-256 in hex.
std::string RecordDrive(const std::string& path, const DriveOptions& options);

// The same with its scenario file beside it: <folder>/<id>.mcap and <id>.yaml. The whole drive is
// tagged "clear" up to dusty_from_s and "dusty" from there.
gatekeeper::gates::Scenario RecordScenario(const std::string& folder, const std::string& id,
                                           const DriveOptions& options);

// Writes an unpacked unit; `onnx` are the model's bytes.
void WriteUnit(const std::string& folder, const std::string& onnx, const std::string& policy_yaml);
void WriteUnit(const std::string& folder, const std::string& onnx, const std::string& policy_yaml,
               const std::string& golden_json);  // empty: none
// y = (0.4, 0.5 * bearing + dust_gain * dust) as an ONNX file.
std::string LinearOnnx(float bearing_gain, float dust_gain);

}  // namespace tests
