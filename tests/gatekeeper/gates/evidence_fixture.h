#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/gate.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"

namespace gatekeeper::gates {

inline constexpr int64_t kTick_ns = 50'000'000;

// A row of a result; an empty one where there is none of that name.
inline const v1::SegmentBound& RowOf(const v1::GateResult& result, const std::string& tag) {
  for (const v1::SegmentBound& row : result.segments()) {
    if (row.tag() == tag) return row;
  }
  static const v1::SegmentBound none;
  return none;
}

// Evidence made by hand; each test bends it to one side of a limit.
class EvidenceTest : public testing::Test {
 protected:
  EvidenceTest() {
    evidence_.suite = tests::SuiteDocument();
    evidence_.policy = tests::PolicyDocument();
    evidence_.fallback = tests::FallbackDocument();
    evidence_.at_site = true;
    evidence_.suite.mutable_raw_vs_enforced()->set_max_clamp_fraction(0.1);
  }

  // A replay of 100 ticks that all agree, in the middle of the hall, tagged "clear" and "dusty".
  Replay& AddReplay(const std::string& id) {
    Scenario& scenario = scenarios_.emplace_back();
    scenario.document.set_id(id);
    scenario.document.set_sha256(absl::StrFormat("%064x", scenarios_.size()));
    v1::Segment& segment = *scenario.document.add_segments();
    segment.set_to_s(60);
    segment.add_tags("clear");
    segment.add_tags("dusty");
    evidence_.replays.push_back(MakeReplay(scenario));
    return evidence_.replays.back();
  }

  static Replay MakeReplay(const Scenario& scenario) {
    Replay replay;
    replay.scenario = &scenario;
    replay.first_ns = tests::kDriveStart_ns;
    replay.channels = {"scan", "odom", "goal_bearing_rad", "dust"};
    for (int i = 0; i < 100; ++i) {
      v1::TickRecord tick;
      tick.set_now_ns(tests::kDriveStart_ns + i * kTick_ns);
      tick.add_raw(0.4);
      tick.add_raw(0.1);
      tick.add_enforced(0.4);
      tick.add_enforced(0.1);
      tick.set_state("NOMINAL");
      tick.set_clearance_m(5);
      v1::RequirementState& calm = *tick.add_requirements();
      calm.set_id("calm");
      calm.set_verdict(i < 10 ? "unknown" : "holds");  // until its horizon has passed
      calm.set_robustness(i < 10 ? NAN : 0.5);
      replay.ticks.push_back(tick);
      replay.motion_clearance_m.push_back(4.9);
      replay.commands.push_back({tick.now_ns() + 2'000'000, {0.4, 0.1}});
      replay.frames.push_back({static_cast<size_t>(i), std::chrono::milliseconds(1)});
    }
    replay.last_ns = replay.ticks.back().now_ns();
    return replay;
  }

  void AddReplays(int count) {
    for (int i = 0; i < count; ++i) AddReplay(absl::StrFormat("clip%02d", i));
  }

  // The first `ticks` raw commands of a replay steer wrongly.
  static void Spoil(Replay& replay, int ticks) {
    for (int i = 0; i < ticks; ++i) replay.ticks[static_cast<size_t>(i)].set_raw(1, 0.9);
  }

  // A run in which `channel` fell silent at tick 40.
  FaultRun& AddStale(const std::string& channel, int trigger_tick, int safe_tick, size_t clip = 0) {
    FaultRun run;
    run.planned.id = "drop:" + channel;
    run.planned.fault = {.kind = Fault::Kind::kDropChannel,
                         .channel = channel,
                         .onset_ns = tests::kDriveStart_ns + 40 * kTick_ns,
                         .until_ns = tests::kDriveStart_ns + 99 * kTick_ns};
    run.planned.scenario = clip;
    run.replay = MakeReplay(scenarios_[clip]);
    React(run.replay, "input_stale", trigger_tick, safe_tick);
    evidence_.stale_runs.push_back(std::move(run));
    return evidence_.stale_runs.back();
  }

  static void React(Replay& replay, const std::string& trigger, int trigger_tick, int safe_tick) {
    for (int i = 0; i < 100; ++i) {
      v1::TickRecord& tick = replay.ticks[static_cast<size_t>(i)];
      if (i >= trigger_tick) {
        tick.add_triggers(trigger);
        tick.set_state("CONTROLLED_STOP");
      }
      if (i >= safe_tick) tick.set_state("SAFE_STOPPED");
    }
  }

  void AddAllStale(int trigger_tick, int safe_tick) {
    for (const char* channel : {"scan", "odom", "goal_bearing_rad", "dust"}) {
      for (size_t clip = 0; clip < 2; ++clip) AddStale(channel, trigger_tick, safe_tick, clip);
    }
  }

  // A drive of the first clip in which the link went down at tick 10.
  HurtRun& AddNetworkRun(int trigger_tick) {
    HurtRun run;
    run.planned.id = kCut;
    run.planned.fault = {.kind = Fault::Kind::kLinkDown,
                         .channel = {},
                         .onset_ns = tests::kDriveStart_ns + 10 * kTick_ns};
    run.drive.set_scenario(scenarios_.front().document.id());
    v1::HurtDrive::Change& first = *run.drive.add_changes();
    first.set_at_ns(tests::kDriveStart_ns);
    first.set_state("NOMINAL");
    v1::HurtDrive::Change& raised = *run.drive.add_changes();
    raised.set_at_ns(tests::kDriveStart_ns + trigger_tick * kTick_ns);
    raised.set_state("DEGRADED");
    raised.add_triggers("network_down");
    evidence_.network_runs.push_back(std::move(run));
    return evidence_.network_runs.back();
  }

  std::deque<Scenario> scenarios_;  // addresses stay
  Evidence evidence_;
};

}  // namespace gatekeeper::gates
