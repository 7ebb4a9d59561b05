#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>

#include "absl/strings/str_replace.h"
#include "agent/recording/observation_reader.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/chain_link.h"
#include "gatekeeper/gates/counterexample.h"
#include "gatekeeper/gates/failing_drive.h"
#include "gatekeeper/gates/heard_inputs.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/hurt_fixture.h"
#include "tests/support/status_matchers.h"

// Clips of drives with a fault show the hurt drive, and replayed they show it again.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

class FailingClipTest : public HurtTest {
 protected:
  // A crew of one bench with the unit that is judged.
  Crew MakeCrewOf(tests::Driver driver) {
    auto rules = agent::runtime::LoadRules(card_, policy_, fallback_);
    EXPECT_OK(rules);
    Crew crew;
    crew.rules = *rules;
    auto bench = TestBench::Create(std::string(64, 'a'), *rules, tests::MakeModel(driver));
    EXPECT_OK(bench);
    crew.benches.push_back(*std::move(bench));
    return crew;
  }

  // Drives everything that the suite asks for on the recordings at hand.
  using Gathering = std::function<void(ReplayFarm& farm)>;
  void Gather(tests::Driver driver, const Gathering& gather) {
    library_.assign(scenarios_.begin(), scenarios_.end());
    const std::vector<bool> intact(library_.size(), true);
    FarmBooks books;
    ReplayFarm farm(MakeCrewOf(driver), Crew(), library_, intact, 1, books);
    evidence_.replays.clear();
    for (const Scenario& scenario : scenarios_)
      evidence_.replays.push_back(RunReplay(scenario, *MakeCrewOf(driver).benches[0]));
    gather(farm);
    evidence_.failing = DriveFailingAgain(farm, nullptr, evidence_);
  }

  // The first clip of the gate that fails.
  std::string ClipOf(const std::string& gate, v1::GateResult result) {
    EXPECT_EQ(result.outcome(), v1::FAIL) << Told(result);
    result.set_id(gate);
    v1::GateReport report;
    *report.add_gates() = std::move(result);
    WriteClips(evidence_, folder_ / "clips", report);
    for (const v1::Finding& finding : report.gates(0).findings()) {
      if (!finding.clip().empty()) return finding.clip();
    }
    ADD_FAILURE() << "no clip: " << Told(report.gates(0));
    return "";
  }

  static std::vector<v1::TickRecord> VerdictsOf(const std::string& clip) {
    std::vector<v1::TickRecord> verdicts;
    const auto reader = agent::recording::ObservationReader::Open(clip);
    EXPECT_OK(reader);
    EXPECT_OK(reader->ForEach([&](const agent::recording::RecordedItem& item) {
      if (const auto* tick = std::get_if<v1::TickRecord>(&item.content)) verdicts.push_back(*tick);
      return absl::OkStatus();
    }));
    return verdicts;
  }

  static bool Raised(const std::vector<v1::TickRecord>& ticks, const std::string& trigger) {
    return std::any_of(ticks.begin(), ticks.end(), [&](const v1::TickRecord& tick) {
      const auto& raised = tick.triggers();
      return std::find(raised.begin(), raised.end(), trigger) != raised.end();
    });
  }

  // The clip as a recording of its own.
  Replay Again(const std::string& clip, tests::Driver driver) {
    Scenario& scenario = clips_.emplace_back();
    scenario.document.set_id("clip");
    scenario.recording = clip;
    return RunReplay(scenario, *MakeCrewOf(driver).benches[0]);
  }

  // The hurt drive's verdicts are in the clip, tick by tick, and a replay of the clip gives them.
  void ExpectTheSameAgain(const std::string& clip, tests::Driver driver) {
    const std::vector<v1::TickRecord> told = VerdictsOf(clip);
    const Replay again = Again(clip, driver);
    ASSERT_OK(again.status);
    ASSERT_GT(again.ticks.size(), 50u);
    ASSERT_GE(told.size(), again.ticks.size());
    for (size_t i = 0; i < again.ticks.size(); ++i) {
      ASSERT_EQ(again.ticks[i].SerializeAsString(), told[i].SerializeAsString())
          << "tick " << i << "\n"
          << again.ticks[i].DebugString() << told[i].DebugString();
    }
  }

  void Matrix(const std::vector<std::string>& faults) {
    for (const std::string& fault : faults)
      evidence_.suite.mutable_fault_matrix()->add_faults(fault);
    Gather(tests::GoodDriver, [&](ReplayFarm& farm) {
      evidence_.matrix_runs =
          RunHurt(farm, PlanFaultMatrix(evidence_.replays, farm.rules(), evidence_.suite), rules());
    });
  }

  std::string card_ = tests::CardYaml();
  std::vector<Scenario> library_;  // replays point to it
  std::deque<Scenario> clips_;
};

// Whoever falls silent is noticed, but the robot drives on.
std::string DrivesOn(const std::string& rules) {
  return absl::StrReplaceAll(rules, {{"id: input_stale, layer: firmware, to: CONTROLLED_STOP, "
                                      "detect_ms: 550",
                                      "id: input_stale, layer: firmware, to: DEGRADED"}});
}

TEST_F(FailingClipTest, OfTheFaultMatrixShowsTheHurtDrive) {
  Record(1, 10);
  Use(Policy(), DrivesOn(Rules()));
  Matrix({"drop_all"});
  ASSERT_FALSE(Raised(evidence_.replays[0].ticks, "input_stale")) << "the healthy drive is quiet";
  const std::string clip = ClipOf("fault_matrix", JudgeFaultMatrix(evidence_));
  const std::vector<v1::TickRecord> verdicts = VerdictsOf(clip);
  ASSERT_TRUE(Raised(verdicts, "input_stale"));
  const auto drives_on =
      std::find_if(verdicts.begin(), verdicts.end(), [](const v1::TickRecord& tick) {
        return tick.triggers_size() > 0 && tick.state() == "DEGRADED" && tick.enforced(0) > 0.1;
      });
  EXPECT_NE(drives_on, verdicts.end()) << "what is wrong about it";
}

TEST_F(FailingClipTest, OfTheFaultMatrixReplaysToTheSameVerdicts) {
  Record(1, 10);
  Use(Policy(), DrivesOn(Rules()));
  // Silence, lateness and what is made up, in turn over the channels.
  for (const std::string fault : {"drop_all", "delay_constant", "freeze_message", "blackout"}) {
    SCOPED_TRACE(fault);
    evidence_.suite.mutable_fault_matrix()->clear_faults();
    Matrix({fault});
    ExpectTheSameAgain(ClipOf("fault_matrix", JudgeFaultMatrix(evidence_)), tests::GoodDriver);
  }
}

TEST_F(FailingClipTest, OfTheFallbackChainShowsTheLossOfTheModel) {
  Record(1, 10);
  evidence_.suite.mutable_fallback_chain()->set_clips(1);
  evidence_.suite.mutable_fallback_chain()->set_safe_within_ms(1);
  Gather(tests::GoodDriver, [&](ReplayFarm& farm) {
    evidence_.chain_runs = RunHurt(
        farm,
        PlanFallbackChain(evidence_.replays, farm.rules(), evidence_.fallback, evidence_.suite),
        rules());
  });
  const std::string clip = ClipOf("fallback_chain", JudgeFallbackChain(evidence_));
  const std::vector<v1::TickRecord> verdicts = VerdictsOf(clip);
  EXPECT_TRUE(Raised(verdicts, "model_failed"));
  EXPECT_EQ(verdicts.back().state(), "SAFE_STOPPED");
  EXPECT_EQ(verdicts.back().enforced(0), 0);
  EXPECT_FALSE(Raised(evidence_.replays[0].ticks, "model_failed"));
}

TEST_F(FailingClipTest, OfACutLinkReplaysToTheSameVerdicts) {
  Record(2, 10);
  evidence_.suite.mutable_faults()->set_detect_within_ms(-1900);  // sooner than the rule allows
  evidence_.suite.mutable_faults()->set_network_floor(0.9);
  Gather(tests::GoodDriver, [&](ReplayFarm& farm) {
    evidence_.network_runs =
        RunHurt(farm, PlanNetworkDown(evidence_.replays, farm.rules(), evidence_.suite), rules());
  });
  const v1::GateResult result = JudgeNetworkDown(evidence_);
  EXPECT_EQ(result.n(), 22u) << "at alpha 0.1";
  EXPECT_EQ(result.segments_size(), 3) << "lost, flapping and never there";
  v1::GateResult failing = result;
  const std::string clip = ClipOf("network_down", failing);
  EXPECT_TRUE(Raised(VerdictsOf(clip), "network_down"));
  EXPECT_FALSE(Raised(evidence_.replays[0].ticks, "network_down"));
  ExpectTheSameAgain(clip, tests::GoodDriver);
}

TEST_F(FailingClipTest, OfTwoCutsOfOneRecordingEachShowsItsOwn) {
  Record(1, 10);
  const auto cut_at = [&](double second) {
    PlannedFault cut;
    cut.id = kCut;
    cut.fault.kind = Fault::Kind::kLinkDown;
    cut.fault.onset_ns = evidence_.replays[0].first_ns + static_cast<int64_t>(second * 1e9);
    cut.fault.until_ns = cut.fault.onset_ns + 3'000'000'000;
    return cut;
  };
  const std::vector<PlannedFault> cuts = {cut_at(3), cut_at(5)};
  Gather(tests::GoodDriver, [&](ReplayFarm& farm) {
    evidence_.network_runs = RunHurt(farm, cuts, rules());
    // Both go wrong at one second, in the same words.
    for (HurtRun& run : evidence_.network_runs) {
      run.drive.set_unsafe("the robot got no command");
      run.drive.set_unsafe_ns(evidence_.replays[0].first_ns + 6'000'000'000);
    }
  });
  v1::GateReport report;
  *report.add_gates() = JudgeNetworkDown(evidence_);
  report.mutable_gates(0)->set_id("network_down");
  ASSERT_EQ(report.gates(0).findings_size(), 2);
  for (int i = 0; i < 2; ++i) {
    const v1::Finding& finding = report.gates(0).findings(i);
    EXPECT_EQ(finding.at_s(), 6);
    const FailingDrive* drive = FindFailing(evidence_, "network_down", finding);
    ASSERT_NE(drive, nullptr);
    EXPECT_EQ(drive->planned.fault.onset_ns, cuts[static_cast<size_t>(i)].fault.onset_ns) << i;
  }

  WriteClips(evidence_, folder_ / "clips", report);
  std::vector<int64_t> noticed;
  for (const v1::Finding& finding : report.gates(0).findings()) {
    for (const v1::TickRecord& tick : VerdictsOf(finding.clip())) {
      if (tick.triggers_size() == 0 || tick.triggers(0) != "network_down") continue;
      noticed.push_back(tick.now_ns());
      break;
    }
  }
  ASSERT_EQ(noticed.size(), 2u);
  EXPECT_NEAR(static_cast<double>(noticed[1] - noticed[0]) * 1e-9, 2, 0.051);
}

class FailingSightTest : public FailingClipTest {
 protected:
  // Its third number is the nearest return ahead, 6 m in these recordings; it turns away from what
  // is near.
  FailingSightTest() {
    card_ = absl::StrReplaceAll(
        card_, {{"{tensor: x, channel: dust, fields: [value]}",
                 "{tensor: x, channel: scan, scan: {sectors: 1, from_rad: -1.5, to_rad: 1.5, "
                 "range_max_m: 8}}"}});
  }
  static std::pair<double, double> Shy(double bearing, double, double ahead_m) {
    return {0.4, 0.5 * bearing + (ahead_m < 5.5 ? 0.5 : 0)};
  }
};

TEST_F(FailingSightTest, OfACorruptionShowsTheCommandThatIsWrong) {
  Record(3, 8);
  v1::CorruptionGate& gate = *evidence_.suite.mutable_corruption();
  gate.add_corruptions("scan_dust");
  gate.set_clips(3);
  gate.set_floor_at_3(0.3);
  gate.set_max_silent_wrong(0.6);
  Gather(Shy, [&](ReplayFarm& farm) {
    evidence_.corruption_runs =
        RunHurt(farm, PlanCorruptions(evidence_.replays, farm.rules(), evidence_.suite), rules());
  });
  const v1::GateResult result = JudgeCorruption(evidence_);
  EXPECT_THAT(Told(result), HasSubstr("worst here: wz_radps"));
  const std::string clip = ClipOf("corruption", result);
  const std::vector<v1::TickRecord> verdicts = VerdictsOf(clip);
  const auto turns = [](const v1::TickRecord& tick) {
    return tick.raw_size() == 2 && tick.raw(1) > 0.35;
  };
  EXPECT_TRUE(std::any_of(verdicts.begin(), verdicts.end(), turns)) << "away from the dust";
  for (const v1::TickRecord& tick : evidence_.replays[0].ticks) EXPECT_FALSE(turns(tick));
  // The model sees the dust again, and turns again.
  const Replay again = Again(clip, Shy);
  ASSERT_OK(again.status);
  std::map<int64_t, double> told;
  for (const v1::TickRecord& tick : verdicts) {
    if (tick.raw_size() == 2) told[tick.now_ns()] = tick.raw(1);
  }
  size_t compared = 0;
  for (const v1::TickRecord& tick : again.ticks) {
    const auto at = told.find(tick.now_ns());
    if (at == told.end() || tick.raw_size() != 2) continue;
    EXPECT_EQ(tick.raw(1), at->second) << compared;
    ++compared;
  }
  EXPECT_GT(compared, 50u);
}

TEST_F(FailingClipTest, OfARelationShowsBothDrives) {
  const auto pulls = [](double bearing, double, double) {
    return std::pair(0.4, 0.5 * bearing + 0.15);
  };
  Record(1, 6);
  v1::MetamorphicGate& gate = *evidence_.suite.mutable_metamorphic();
  gate.set_mirror_tolerance(1);
  gate.set_brightness_tolerance(1);
  gate.set_max_soft_violations(0.97);  // one clip may decide
  gate.set_clips(1);
  Gather(pulls, [&](ReplayFarm& farm) {
    evidence_.relation_runs = RunRelations(
        farm, evidence_.replays, PlanRelations(evidence_.replays, farm.rules(), evidence_.suite),
        {evidence_.policy, evidence_.fallback, evidence_.suite});
  });
  v1::GateResult result = JudgeMetamorphic(evidence_);
  ASSERT_GT(result.findings_size(), 0);
  EXPECT_EQ(result.findings(0).segment(), "mirror");
  const std::string clip = ClipOf("metamorphic", result);

  // In the mirror it should turn the other way as much, and turns otherwise.
  const std::vector<v1::TickRecord> changed = VerdictsOf(clip);
  std::vector<v1::TickRecord> unchanged;
  const auto reader = agent::recording::McapReader::Open(clip);
  ASSERT_OK(reader);
  ASSERT_OK(reader->ForEachMessage(
      {}, [&](const agent::recording::Channel& channel, const agent::recording::Message& message) {
        if (channel.topic != "/verdict/unchanged") return absl::OkStatus();
        EXPECT_TRUE(unchanged.emplace_back().ParseFromArray(message.data.data(),
                                                            static_cast<int>(message.data.size())));
        return absl::OkStatus();
      }));
  ASSERT_EQ(unchanged.size(), changed.size());
  size_t wrong = 0;
  for (size_t i = 0; i < changed.size(); ++i) {
    if (changed[i].raw_size() != 2 || unchanged[i].raw_size() != 2) continue;
    EXPECT_NEAR(changed[i].raw(1) + unchanged[i].raw(1), 0.3, 1e-5);
    ++wrong;
  }
  EXPECT_GT(wrong, 50u);
}

TEST_F(FailingClipTest, WithoutAFailureNothingIsDrivenAgain) {
  Record(1, 10);
  Matrix({"drop_one"});
  ASSERT_EQ(JudgeFaultMatrix(evidence_).findings_size(), 0);
  EXPECT_TRUE(evidence_.failing.empty());
}

}  // namespace
}  // namespace gatekeeper::gates
