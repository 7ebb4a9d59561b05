#include <filesystem>
#include <set>

#include "gatekeeper/defects/audit.h"
#include "gatekeeper/defects/audit_report.h"
#include "gatekeeper/defects/document_defects.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/suite_fixture.h"

namespace gatekeeper::defects {
namespace {

using testing::HasSubstr;

std::string NameOf(const Seeded& seeded) { return seeded.place + ": " + seeded.what; }

std::set<std::string> Survivors(const Audit& audit) {
  std::set<std::string> names;
  for (const Seeded& seeded : audit.seeded) {
    if (seeded.fate == Fate::kSurvived) names.insert(NameOf(seeded));
  }
  return names;
}

std::set<std::string> Killers(const Audit& audit, const std::string& name) {
  for (const Seeded& seeded : audit.seeded) {
    if (NameOf(seeded) == name) return {seeded.killers.begin(), seeded.killers.end()};
  }
  return {};
}

class DefectsTest : public gates::SuiteFixture {
 protected:
  // Against itself: the unit is the one that drives today.
  absl::StatusOr<Audit> Run(bool against, bool replays, size_t clips) {
    auto unit = MakeUnit("unit", 0);
    if (!unit.ok()) return unit.status();
    AuditInput input{.suite = Input(),
                     .scratch = folder_ / ("scratch" + std::to_string(++runs_)),
                     .clips = clips,
                     .replays = replays,
                     .tell = [this](const AuditProgress& now) { told_.push_back(now); }};
    told_.clear();
    if (against) input.suite.against = folder_ / "unit";
    std::filesystem::create_directories(input.scratch);
    return AuditGates(*unit, input);
  }
  int runs_ = 0;
  std::vector<AuditProgress> told_;
};

TEST_F(DefectsTest, AgainstTheDeployedUnitTheGatesKillAtLeastNineteenOfTwentyDefects) {
  RecordDrives(6);
  suite_ = tests::SuiteYaml() + "non_inferiority: {delta: 0.5, max_newly_failing: 0}\n";
  ASSERT_OK_AND_ASSIGN(const Audit audit, Run(true, true, 1));
  std::puts(AuditText(audit, 0.95).c_str());
  EXPECT_GT(audit.rules().seeded(), 150U);
  EXPECT_GE(audit.rules().rate(), 0.95);
  EXPECT_GT(audit.scenarios().seeded(), 10U);
  EXPECT_GE(audit.scenarios().rate(), 0.95);
  EXPECT_EQ(Survivors(audit), std::set<std::string>());
  for (const char* what : {"commands 300 ms late", "stamps 2 s back", "duplicate clip"})
    EXPECT_EQ(Killers(audit, std::string("drive0: ") + what).count("recordings"), 1U) << what;
  // Every range of the hall is the same: its mirror is no defect.
  EXPECT_EQ(audit.scenarios().not_seeded, 1U);
  EXPECT_THAT(AuditText(audit, 0.95), HasSubstr("could not be seeded drive0: scan mirrored"));
}

TEST_F(DefectsTest, WithoutADeployedUnitStaticGatesMissQuietLooseningAndStayBelowTheFloor) {
  RecordDrives(2);
  suite_ = tests::SuiteYaml();
  ASSERT_OK_AND_ASSIGN(const Audit audit, Run(false, false, 1));
  std::puts(AuditText(audit, 0.95).c_str());
  EXPECT_LT(audit.all().rate(), 0.95);
  EXPECT_GT(audit.all().rate(), 0.3);
  ASSERT_EQ(told_.size(), audit.seeded.size() + 2) << "each once, and before either begins";
  const AuditProgress& rules = told_[audit.rules().seeded()];
  EXPECT_TRUE(rules.in_rules);
  EXPECT_EQ(rules.done, rules.of);
  EXPECT_EQ(rules.killed, audit.rules().killed);
  EXPECT_FALSE(told_.back().in_rules);
  EXPECT_EQ(told_.back().done, told_.back().of);
  EXPECT_EQ(told_.back().killed, audit.scenarios().killed);
  const std::set<std::string> survivors = Survivors(audit);
  const std::string limit = "policy/control_policy.yaml: limits.nominal.vx_max_mps: times ";
  EXPECT_EQ(survivors.count(limit + "1.01"), 1U);
  EXPECT_EQ(survivors.count(limit + "3"), 0U);  // cannot stop within its zones any more
  EXPECT_EQ(
      survivors.count("policy/fallback_rules.yaml: triggers.input_stale: removed input_stale"), 0U);
  EXPECT_EQ(survivors.count("drive0: byte flipped"), 0U);
  EXPECT_EQ(survivors.count("drive0: duplicate clip"), 0U);  // its digest is enough
  EXPECT_THAT(AuditJson(audit, 0.95), HasSubstr("\"holds\": false"));
  EXPECT_THAT(AuditJson(audit, audit.all().rate()), HasSubstr("\"holds\": true"));
  ASSERT_OK_AND_ASSIGN(const Audit again, Run(false, false, 1));
  EXPECT_EQ(AuditJson(audit, 0.95), AuditJson(again, 0.95));
}

TEST(DocumentDefectsTest, WhatTheBriefestReviewWouldWantToSeeIsSeededAndTighteningIsNot) {
  ASSERT_OK_AND_ASSIGN(const DocumentDefects found,
                       SeedDocuments(tests::PolicyDocument(), tests::FallbackDocument()));
  std::set<std::string> names;
  for (const DocumentDefect& defect : found.defects) {
    EXPECT_NE(defect.effect, bundle::Effect::kTighter);
    names.insert(defect.path + ": " + defect.what);
  }
  for (const char* wanted :
       {"limits.nominal.vx_max_mps: times 1.01", "limits.nominal.vx_max_mps: times 2",
        "inputs.scan.max_age_ms: times 3", "inputs.scan.required: dropped",
        "inputs.scan.trigger: weakened", "inputs.scan: removed", "deadline.hard_ms: times 3",
        "triggers.input_stale: removed input_stale", "triggers.envelope_breach.to: weakened",
        "triggers.envelope_breach.clear.rearm: dropped", "states.ESTOP_LATCHED.latch: dropped",
        "envelope.hall.polygon_m: grown", "envelope.hall.margin_m: set to 0",
        "footprint.circle_m: shrunk", "separation: removed",
        "separation.zones.around.polygon_m: shrunk", "separation.zones.around: removed around",
        "rearm.approvals: removed safety_officer", "requirements.calm: removed calm"}) {
    EXPECT_EQ(names.count(wanted), 1U) << wanted;
  }
  EXPECT_EQ(names.count("envelope.hall.polygon_m: shrunk"), 0U);
  EXPECT_EQ(names.count("limits.nominal.vx_max_mps: times 0.5"), 0U);
  EXPECT_GT(found.harmless, 50U);
}

}  // namespace
}  // namespace gatekeeper::defects
