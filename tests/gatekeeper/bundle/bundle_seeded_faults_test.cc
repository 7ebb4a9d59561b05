#include "gatekeeper/bundle/static_checks.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/bundle/nav_documents.h"

// Every rule S1 to S15, broken in the demonstration's own documents.

namespace {

using gatekeeper::bundle::Diagnostic;
using tests::Documents;
using tests::kCard;
using tests::kFallback;
using tests::kPolicy;
using tests::kSite;

struct Fault {
  std::string name;
  std::string rule;
  std::vector<tests::Change> edits;
  std::string says;          // part of the message
  std::string at = "";       // the line that is reported, by its text; empty: the last edit's
  std::string at_file = "";  // and its file, where that is not the edited one
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class SeededFaultTest : public testing::TestWithParam<Fault> {};

TEST_P(SeededFaultTest, IsRefusedWithItsRuleAndLine) {
  const Fault& fault = GetParam();
  Documents documents;
  int line = 0;
  for (const tests::Change& edit : fault.edits) line = documents.Apply(edit);
  std::string file = fault.edits.back().file;
  if (!fault.at.empty()) {
    file = fault.at_file.empty() ? file : fault.at_file;
    line = documents.Line(file, fault.at);
  }

  const std::vector<Diagnostic> found = CheckRules(documents.Rules());

  const auto wanted = std::find_if(found.begin(), found.end(), [&](const Diagnostic& diagnostic) {
    return diagnostic.rule == fault.rule && diagnostic.file == file && diagnostic.line == line &&
           diagnostic.message.find(fault.says) != std::string::npos;
  });
  EXPECT_NE(wanted, found.end()) << "wanted " << file << ":" << line << " " << fault.rule << " '"
                                 << fault.says << "', found\n"
                                 << testing::PrintToString(tests::Texts(found));
}

const Fault kFaults[] = {
    // S1: the document can be understood.
    {"UnknownKey",
     "S1",
     {{kPolicy, "", "id: nav-indoor", "idd: nav-indoor"}},
     "did you mean 'id'?"},
    {"RepeatedKey", "S1", {{kPolicy, "version: 1", "units: SI", "id: twice"}}, "given twice"},
    {"NumberWithoutUnit",
     "S1",
     {{kPolicy, "scan:", "max_age_ms: 250", "max_age: 250"}},
     "its unit belongs in the key"},
    {"NotANumber",
     "S1",
     {{kPolicy, "nominal:", "vx_max_mps: 1.0", "vx_max_mps: .nan"}},
     "vx_max_mps"},
    {"OtherUnits", "S1", {{kPolicy, "", "units: SI", "units: imperial"}}, "must be SI"},
    {"UnknownRobotClass",
     "S1",
     {{kPolicy, "", "robot_class: diff_drive", "robot_class: hovercraft"}},
     "robot_class must be"},
    {"UnknownChannelInTheCard",
     "S1",
     {{kCard, "", "channel: goal_range_m", "channel: goal_distance_m"}},
     "goal_distance_m"},
    // S2: triggers and states know each other, every state has a way to a stop.
    {"TriggerWithoutAName",
     "S2",
     {{kPolicy, "scan:", "trigger: input_stale", "trigger: ''"}},
     "must name a trigger"},
    {"TriggerThatNobodyAnswers",
     "S2",
     {{kPolicy, "output:", "trigger: nonfinite", "trigger: exploded"}},
     "must have a rule for 'exploded'",
     "triggers:",
     kFallback},
    {"RuleThatNobodyRaises",
     "S2",
     {{kFallback, "triggers:", "  - {id: estop_button,",
       "  - {id: bored, layer: model, to: DEGRADED, clear: {quiet_ms: 1}}\n  - {id: "
       "estop_button,"}},
     "nobody raises 'bored'"},
    {"StateWithoutAWayToAStop",
     "S2",
     {{kFallback, "SIMPLE_CONTROLLER:\n    rank", "    max_dwell_s: 20 ", "    #"},
      {kFallback, "SIMPLE_CONTROLLER:\n    rank", "else: CONTROLLED_STOP", "else: SAFE_SOON"}},
     "SAFE_SOON"},
    // S3: no dead state, no rule that can never win.
    {"StateThatNothingLeadsTo",
     "S3",
     {{kFallback, "states:", "  DEGRADED: {rank: 1,",
       "  LIMBO: {rank: 11, controller: hold, minimal_risk_condition: true}\n  DEGRADED: {rank: "
       "1,"}},
     "must be reachable"},
    {"StateThatNeedsTheVeryInputThatWasLost",
     "S3",
     {{kFallback, "SIMPLE_CONTROLLER:\n    rank", "needs: [scan, odom]",
       "needs: [scan, odom, goal_bearing_rad, goal_range_m]"},
      {kFallback, "id: input_stale", "to: CONTROLLED_STOP", "to: SIMPLE_CONTROLLER"}},
     "that it tells to be lost"},
    // S4: moves raise the rank.
    {"StopThatEndsInDriving",
     "S4",
     {{kFallback, "CONTROLLED_STOP:\n", "then: SAFE_STOPPED", "then: NOMINAL"}},
     "higher rank"},
    {"ElseThatLeadsBack",
     "S4",
     {{kFallback, "SIMPLE_CONTROLLER:\n    rank", "else: CONTROLLED_STOP", "else: PREVIOUS_MODEL"}},
     "higher rank"},
    // S5: minimal risk in time.
    {"StopThatTakesTooLong",
     "S5",
     {{kFallback, "", "mrc_within_ms: 3500", "mrc_within_ms: 2000"}},
     "mrc_within_ms",
     "complete_within_ms: 1500"},
    {"DetectionThatIsTooSlow",
     "S5",
     {{kFallback, "id: input_stale", "detect_ms: 1050", "detect_ms: 2000"}},
     "within mrc_within_ms"},
    {"DetectionThatIsPromisedTooFast",
     "S5",
     {{kFallback, "id: input_stale", "detect_ms: 1050", "detect_ms: 100"}},
     "must be at least"},
    // S6: what was latched is not cleared in passing.
    {"LatchThatClearsByItself",
     "S6",
     {{kFallback, "id: envelope_breach", "clear: {rearm: true}", "clear: {quiet_ms: 100}"}},
     "rearm"},
    // S7: hysteresis.
    {"ConfidenceWithoutAGap",
     "S7",
     {{kPolicy, "output:", "  trigger: nonfinite",
       "  trigger: nonfinite\n  confidence:\n    enter_below: 0.4\n    leave_above: 0.4\n"
       "    leave_hold_ms: 500\n    trigger: nonfinite"}},
     "must be above enter_below",
     "leave_above: 0.4"},
    {"UncertaintyTheWrongWayRound",
     "S7",
     {{kPolicy, "output:", "  trigger: nonfinite",
       "  trigger: nonfinite\n  uncertainty:\n    enter_above: 0.2\n    leave_below: 0.3\n"
       "    leave_hold_ms: 500\n    trigger: nonfinite"}},
     "leave_below",
     "leave_below: 0.3"},
    // S8: reactions fit the hazard tolerance time.
    {"InputThatMayBeTooOld",
     "S8",
     {{kFallback, "id: input_stale", "to: CONTROLLED_STOP, detect_ms: 1050", "to: PREVIOUS_MODEL"},
      {kPolicy, "scan:", "max_age_ms: 250", "max_age_ms: 3600"}},
     "longer than mrc_within_ms"},
    {"ZoneThatNoticesTooLate",
     "S8",
     {{kPolicy, "id: near", "trigger_consecutive: 2 ", "trigger_consecutive: 80 "}},
     "4000 ms to react"},
    // S9: limits are consistent, and certified.
    {"ArraysOfDifferentLength",
     "S9",
     {{kPolicy, "nominal:", "acc_max_mps2: [1.2, 1.2, 1.0]", "acc_max_mps2: [1.2, 1.2]"}},
     "acc_max_mps2"},
    {"SpeedPointsThatFall",
     "S9",
     {{kPolicy, "", "speed_points_mps: [0.0, 0.5, 1.0]", "speed_points_mps: [0.0, 1.0, 0.5]"}},
     "ascend"},
    {"ForcedToDriveOn",
     "S9",
     {{kPolicy, "nominal:", "vx_min_mps: 0.0", "vx_min_mps: 0.1"}},
     "standing is always allowed"},
    {"DegradedFasterThanNominal",
     "S9",
     {{kPolicy, "degraded:", "vx_max_mps: 0.4", "vx_max_mps: 1.1"}},
     "looser than nominal"},
    {"TransitionFasterThanNominal",
     "S9",
     {{kPolicy, "transition:", "vx_max_mps: 0.4", "vx_max_mps: 1.1"}},
     "looser than nominal"},
    {"DerateThatRisesAndFalls",
     "S9",
     {{kPolicy, "signal: infer", "points: [20, 30]", "points: [30, 20]"}},
     "points"},
    {"FasterThanCertified",
     "S9",
     {{kPolicy, "nominal:", "vx_max_mps: 1.0", "vx_max_mps: 1.25"}},
     "certified for 1.2"},
    {"BrakesHarderThanCertified",
     "S9",
     {{kPolicy, "nominal:", "dec_max_mps2: [2.0, 2.0, 2.0]", "dec_max_mps2: [2.0, 3.5, 3.5]"}},
     "certified for 3"},
    {"SmallerThanTheRobotIs",
     "S9",
     {{kPolicy, "footprint:", "r: 0.25", "r: 0.24"}},
     "must cover the robot",
     "footprint:"},
    {"RobotThatNobodyCertified",
     "S9",
     {{kSite, "robots:", "diff-drive-2:", "diff-drive-3:"}},
     "certifies no robots of hardware class 'diff-drive-2'",
     "robot_class:",
     kPolicy},
    // S10: it stops before what it sees.
    {"SlowZoneThatIsTooShort",
     "S10",
     {{kPolicy, "id: near", "[0.90, 0.40]", "[0.70, 0.40]"}},
     "does not cover 1 m/s forwards",
     "separation:"},
    {"StopZoneThatIsTooShort",
     "S10",
     {{kPolicy, "id: touch", "[[0.45, 0.30], [-0.30, 0.30], [-0.30, -0.30], [0.45, -0.30]]",
       "[[0.36, 0.30], [-0.30, 0.30], [-0.30, -0.30], [0.36, -0.30]]"}},
     "forwards",
     "separation:"},
    {"BackwardsWithoutAZoneBehind",
     "S10",
     {{kPolicy, "nominal:", "vx_min_mps: 0.0", "vx_min_mps: -0.3"}},
     "0.3 m/s backwards",
     "separation:"},
    {"ZoneNarrowerThanTheRobot",
     "S10",
     {{kPolicy, "id: touch", "[[0.45, 0.30], [-0.30, 0.30]", "[[0.45, 0.20], [-0.30, 0.20]"}},
     "lies in no zone",
     "separation:"},
    {"MarginThatTheBrakesDoNotKeep",
     "S10",
     {{kPolicy, "nominal:", "dec_max_mps2: [2.0, 2.0, 2.0]", "dec_max_mps2: [3.0, 3.0, 3.0]"}},
     "short at 1 m/s",
     "margin_m: 0.05"},
    {"SeparationDistanceWithoutReactionTime",
     "S10",
     {{kPolicy, "separation:", "  zones:",
       "  ssm: {source: scan, v_human_mps: 1.6, t_react_s: 0.1, dec_mps2: 1.0, c_m: 0.1, "
       "z_sensor_m: 0.05, z_robot_m: 0.05}\n  zones:"}},
     "t_react_s must be at least 0.2"},
    {"SeparationDistanceThatBrakesTooHard",
     "S10",
     {{kPolicy, "separation:", "  zones:",
       "  ssm: {source: scan, v_human_mps: 1.6, t_react_s: 0.3, dec_mps2: 2.5, c_m: 0.1, "
       "z_sensor_m: 0.05, z_robot_m: 0.05}\n  zones:"}},
     "must not be more than limits.nominal.dec_max_mps2"},
    // S11: zones are areas, and the envelope stays inside the site.
    {"BowTie",
     "S11",
     {{kPolicy, "id: hall", "[[0, 0], [20, 0], [20, 12], [0, 12]]",
       "[[0, 0], [20, 12], [20, 0], [0, 12]]"}},
     "simple polygon",
     "[[0, 0], [20, 12]"},
    {"TwoCorners",
     "S11",
     {{kPolicy, "id: touch", "[[0.45, 0.30], [-0.30, 0.30], [-0.30, -0.30], [0.45, -0.30]]",
       "[[0.45, 0.30], [-0.30, 0.30]]"}},
     "simple polygon",
     "[[0.45, 0.30], [-0.30, 0.30]]"},
    {"ExclusionThatLeavesNoGround",
     "S11",
     {{kPolicy, "id: stairs", "circle_m: {c: [19.0, 0.8], r: 0.8}",
       "circle_m: {c: [10, 6], r: 12}"}},
     "leaves no ground",
     "- id: hall"},
    {"OneMillimetreThroughTheWall",
     "S11",
     {{kPolicy, "id: hall", "[20, 12]", "[20.001, 12]"}},
     "outside the geofence of site 'demo-hall'",
     "- id: hall"},
    {"HoleThatTheExclusionDoesNotCover",
     "S11",
     {{kPolicy, "id: stairs", "r: 0.8", "r: 0.707106"}},
     "outside the geofence",
     "- id: hall"},
    {"OtherFrameThanTheSite",
     "S11",
     {{kSite, "", "frame: map", "frame: building"}},
     "must be the frame of site",
     "frames:",
     kPolicy},
    {"LowerThanTheSite",
     "S11",
     {{kSite, "id: hall_floor", "polygon_m:", "z_m: [-0.1, 3]\n    polygon_m:"}},
     "below -0.1 m",
     "- id: hall",
     kPolicy},
    {"HoleOutsideItsRegion",
     "S11",
     {{kSite, "holes:", "[19.5, 1.3]", "[20.5, 1.3]"}},
     "must lie inside its region",
     "{id: stairwell"},
    {"StartPoseInTheStairs",
     "S11",
     {{kSite, "start_poses:", "x_m: 2.0, y_m: 2.0", "x_m: 19.0, y_m: 1.0"}},
     "must stand inside the geofence",
     "id: rail_west"},
    {"DockInTheWall",
     "S11",
     {{kSite, "docks:", "x_m: 18.0, y_m: 10.0", "x_m: 19.8, y_m: 10.0"}},
     "would be in breach",
     "envelope:",
     kPolicy},
    // S13, S14: nothing is switched off.
    {"NonfiniteLetThrough",
     "S13",
     {{kPolicy, "output:", "nonfinite: reject", "nonfinite: pass"}},
     "must be reject"},
    {"AgeOfZero",
     "S14",
     {{kPolicy, "odom:", "max_age_ms: 250", "max_age_ms: 0"}},
     "cannot be switched off"},
    {"MissesWithoutEnd",
     "S14",
     {{kPolicy, "deadline:", "max_consecutive: 3", "max_consecutive: 0"}},
     "misses must end somewhere"},
    {"WindowThatNeverFills",
     "S14",
     {{kPolicy, "deadline:", "window: {n: 200, max: 10}", "window: {n: 200, max: 200}"}},
     "at most half of n"},
    {"ClampBudgetThatIsNeverSpent",
     "S14",
     {{kPolicy, "clamp_budget:", "max_fraction: 0.5", "max_fraction: 1.0"}},
     "must be 0 to 0.9"},
    {"ZoneThatNeedsNoPoints",
     "S14",
     {{kPolicy, "id: touch", "min_points: 4", "min_points: 0"}},
     "no point is no obstacle"},
    {"ZoneThatNeedsMorePointsThanAScanHas",
     "S14",
     {{kPolicy, "id: touch", "min_points: 4", "min_points: 4294967295"}},
     "would hold nothing back"},
    {"StampsFromTheFarFuture",
     "S14",
     {{kPolicy, "odom:", "max_future_ms: 100", "max_future_ms: 100000"}},
     "would hold nothing back"},
    {"SensorThatMayFreezeForAnHour",
     "S14",
     {{kPolicy, "odom:", "stuck_after_ms: 500", "stuck_after_ms: 3600000"}},
     "would hold nothing back"},
    {"MissesAllDay",
     "S14",
     {{kPolicy, "deadline:", "max_consecutive: 3", "max_consecutive: 1728000"}},
     "misses must end somewhere"},
    {"BlockedRobotThatNobodyNotices",
     "S14",
     {{kPolicy, "limits:", "cmd_vs_measured_mps: 0.5", "cmd_vs_measured_mps: 1000"}},
     "would hold nothing back"},
    {"JerkBeyondAllBearing",
     "S14",
     {{kPolicy, "limits:", "jerk_max_mps3: [10.0]", "jerk_max_mps3: [1e9]"}},
     "would hold nothing back"},
    {"SiteWithoutBrakes",
     "S14",
     {{kSite, "robots:", "dec_mps2: 3.0", "dec_mps2: 0"}},
     "a certificate says"},
    // S15: everything fits into a period.
    {"DeadlineBeyondThePeriod",
     "S15",
     {{kPolicy, "deadline:", "hard_ms: 30", "hard_ms: 50"}},
     "must be below the command period"},
    {"DeadlineThatLeavesNoTimeForTheBus",
     "S15",
     {{kPolicy, "deadline:", "hard_ms: 30", "hard_ms: 45"}},
     "must be at most 44"},
};

INSTANTIATE_TEST_SUITE_P(Rules, SeededFaultTest, testing::ValuesIn(kFaults),
                         [](const auto& fault) { return fault.param.name; });

}  // namespace
