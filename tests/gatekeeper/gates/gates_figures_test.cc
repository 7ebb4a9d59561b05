#include <cmath>
#include <filesystem>
#include <set>

#include "agent/trust/hash.h"
#include "gatekeeper/gates/figure_parts.h"
#include "gatekeeper/gates/figures.h"
#include "gatekeeper/gates/surroundings.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {
namespace {

class FiguresTest : public EvidenceTest {
 protected:
  static void Walk(Replay& replay) {
    for (size_t i = 0; i < replay.ticks.size(); ++i) {
      replay.measured.push_back({.x_m = 5 + 0.02 * static_cast<double>(i), .y_m = 3, .yaw_rad = 0});
    }
  }
  v1::GateResult Accuse(const std::string& scenario, double at_s) {
    v1::GateResult result;
    result.set_id("envelope");
    result.set_outcome(v1::FAIL);
    v1::Finding& finding = *result.add_findings();
    finding.set_scenario(scenario);
    finding.set_at_s(at_s);
    return result;
  }
  static std::set<std::string> Ids(const std::vector<v1::Figure>& figures) {
    std::set<std::string> ids;
    for (const v1::Figure& figure : figures) ids.insert(figure.id());
    return ids;
  }
  static const v1::Figure& Find(const std::vector<v1::Figure>& figures, const std::string& id) {
    for (const v1::Figure& figure : figures) {
      if (figure.id() == id) return figure;
    }
    static const v1::Figure none;
    return none;
  }
};

TEST_F(FiguresTest, WithoutReplaysThereIsNothingToSee) {
  EXPECT_TRUE(MakeFigures(evidence_, {}).empty());
}

TEST_F(FiguresTest, TheWayOfAnAccusedClipIsDrawnWithTheFailingSecond) {
  Walk(AddReplay("clip1"));
  Walk(AddReplay("clip2"));
  const auto figures = MakeFigures(evidence_, {Accuse("clip2", 2.0)});
  EXPECT_THAT(Ids(figures),
              testing::ElementsAre("clamp_shares", "latency", "speed:clip2", "trajectory:clip2"));
  const v1::Figure& way = Find(figures, "trajectory:clip2");
  ASSERT_EQ(way.marks_size(), 1);
  EXPECT_NEAR(way.marks(0).x(), 5.8, 1e-9);  // tick 40
  EXPECT_EQ(way.marks(0).text(), "2.00 s");
  EXPECT_TRUE(way.equal_axes());
  EXPECT_EQ(way.series_size(), 1 + evidence_.policy.envelope_size());
  EXPECT_EQ(Find(figures, "speed:clip2").marks(0).x(), 2.0);
}

TEST_F(FiguresTest, AClipThatNobodyAccusesOrWithoutPoseHasNoWay) {
  Walk(AddReplay("clip1"));
  AddReplay("blind").measured.assign(100, MeasuredMotion{});
  v1::GateResult held = Accuse("clip1", 1);
  held.set_outcome(v1::PASS);
  EXPECT_THAT(Ids(MakeFigures(evidence_, {held, Accuse("blind", 1), Accuse("unknown", 1)})),
              testing::ElementsAre("clamp_shares", "latency", "speed:blind"));
}

TEST_F(FiguresTest, NoMoreClipsAreDrawnThanAPageHolds) {
  std::vector<v1::GateResult> results;
  AddReplays(12);
  for (Replay& replay : evidence_.replays) {
    Walk(replay);
    results.push_back(Accuse(replay.id(), 1));
  }
  size_t ways = 0;
  for (const std::string& id : Ids(MakeFigures(evidence_, results))) {
    ways += id.rfind("trajectory:", 0) == 0;
  }
  EXPECT_EQ(ways, kMaxTrajectories);
}

// 20 m x 20 m in cells of 5 cm, a wall along y = 4 and one far away.
MapOfSite HallWithAWall() {
  MapOfSite hall{.file = "maps/hall.yaml", .map = {}, .sha256 = agent::trust::Sha256("hall")};
  hall.map = {.cell_m = 0.05, .corner = {0, 0}, .columns = 400, .rows = 400, .cells = {}};
  hall.map.cells.assign(400 * 400, resim::MapCell::kFree);
  for (size_t column = 0; column < 400; ++column) {
    hall.map.cells[80 * 400 + column] = resim::MapCell::kOccupied;
    hall.map.cells[399 * 400 + column] = resim::MapCell::kOccupied;
  }
  return hall;
}

TEST_F(FiguresTest, TheWallsOfTheSitesMapStandAroundTheWay) {
  Walk(AddReplay("clip1"));  // from (5, 3) to (7, 3)
  const MapOfSite hall = HallWithAWall();
  const auto figures = MakeFigures(evidence_, {Accuse("clip1", 1)}, &hall);
  const v1::Figure& figure = Find(figures, "trajectory:clip1");
  const v1::Series& walls = figure.series(figure.series_size() - 1);
  EXPECT_EQ(walls.name(), "walls of maps/hall.yaml");
  EXPECT_EQ(walls.kind(), v1::Series::POINTS);
  ASSERT_GT(walls.x_size(), 100);
  for (int i = 0; i < walls.x_size(); ++i) {
    EXPECT_NEAR(walls.y(i), 4.025, 0.001);  // the one far away is left out
    EXPECT_LE(walls.x(i), 15);              // 8 m from the way's end
  }
}

TEST_F(FiguresTest, AsManyWallsAsAPageHolds) {
  Walk(AddReplay("clip1"));
  MapOfSite full = HallWithAWall();
  full.map.cells.assign(full.map.cells.size(), resim::MapCell::kOccupied);
  const auto figures = MakeFigures(evidence_, {Accuse("clip1", 1)}, &full);
  const v1::Figure& figure = Find(figures, "trajectory:clip1");
  const v1::Series& walls = figure.series(figure.series_size() - 1);
  EXPECT_LE(static_cast<size_t>(walls.x_size()), kMaxDots);
  EXPECT_GT(static_cast<size_t>(walls.x_size()), kMaxDots / 8);
}

TEST_F(FiguresTest, WithoutAMapThereIsWhatTheLaserSawAboutTheSecond) {
  const tests::TempFolder folder;
  const Scenario recorded = tests::RecordScenario(folder.path(), "clip1", {.seconds = 6});
  Replay& replay = AddReplay("clip1");
  Walk(replay);
  replay.scenario = &recorded;
  const auto seen = [&] {
    const auto figures = MakeFigures(evidence_, {Accuse("clip1", 2)});
    const v1::Figure& figure = Find(figures, "trajectory:clip1");
    return figure.series(figure.series_size() - 1);
  };
  const v1::Series dots = seen();
  EXPECT_EQ(dots.name(), "seen by the laser");
  ASSERT_GT(dots.x_size(), 0);
  EXPECT_LE(static_cast<size_t>(dots.x_size()), kMaxDots);
  std::filesystem::remove(recorded.recording);  // a merge has no recordings
  EXPECT_NE(seen().name(), "seen by the laser");
}

TEST_F(FiguresTest, TheDriveThatCollidedIsDrawnAndMarkedToo) {
  Walk(AddReplay("clip1"));
  const auto drive = [&](double collided_at_s, const std::string& not_used) {
    v1::ClosedLoopRun& run = evidence_.closed_loop.emplace_back();
    run.set_scenario("clip1");
    run.set_not_used(not_used);
    run.set_period_s(0.1);
    run.set_start_s(1);
    run.set_collided_at_s(collided_at_s);
    run.set_left_map_at_s(std::nan(""));
    for (int i = 0; i < 20; ++i) {
      run.add_x_m(5 + 0.1 * i);
      run.add_y_m(3.5);
    }
  };
  drive(std::nan(""), "");
  drive(0.5, "its world is not that of the recording");
  drive(1.2, "");
  const auto figures = MakeFigures(evidence_, {Accuse("clip1", 2)});
  const v1::Figure& figure = Find(figures, "trajectory:clip1");
  const v1::Series& way = figure.series(figure.series_size() - 1);
  EXPECT_EQ(way.name(), "driven in the rebuilt world");
  EXPECT_EQ(way.x_size(), 20);
  ASSERT_EQ(figure.marks_size(), 2);
  EXPECT_EQ(figure.marks(0).text(), "collides 2.20 s");
  EXPECT_NEAR(figure.marks(0).x(), 6.2, 1e-9);
  EXPECT_EQ(figure.marks(1).text(), "2.00 s");
}

TEST_F(FiguresTest, ClampReasonsStandMostFrequentFirst) {
  Replay& replay = AddReplay("clip1");
  for (size_t i = 0; i < 30; ++i) {
    replay.ticks[i].set_clamped(true);
    replay.ticks[i].add_reasons(i < 10 ? "vx_max" : "jerk");
  }
  const auto figures = MakeFigures(evidence_, {});
  const v1::Series& reasons = Find(figures, "clamp_reasons").series(0);
  EXPECT_THAT(reasons.labels(), testing::ElementsAre("jerk", "vx_max"));
  EXPECT_THAT(reasons.x(), testing::ElementsAre(20, 10));
  const v1::Series& shares = Find(figures, "clamp_shares").series(0);
  EXPECT_EQ(shares.y(12), 1);  // 0.3 of 40 bins
}

TEST_F(FiguresTest, TheDeadlineIsMarkedUnlessItIsFarBeyondEveryFrame) {
  AddReplay("clip1");
  evidence_.suite.mutable_latency()->set_deadline_ms(5);
  EXPECT_EQ(Find(MakeFigures(evidence_, {}), "latency").marks_size(), 3);
  evidence_.suite.mutable_latency()->set_deadline_ms(50);
  EXPECT_EQ(Find(MakeFigures(evidence_, {}), "latency").marks_size(), 2);
}

TEST_F(FiguresTest, LongRecordingsAreThinnedOut) {
  Replay& replay = AddReplay("clip1");
  const v1::TickRecord tick = replay.ticks[0];
  replay.ticks.assign(100'000, tick);
  replay.measured.assign(100'000, MeasuredMotion{.x_m = 1, .y_m = 2, .yaw_rad = 0});
  for (const v1::Figure& figure : MakeFigures(evidence_, {Accuse("clip1", 0)})) {
    for (const v1::Series& series : figure.series()) {
      EXPECT_LE(static_cast<size_t>(series.x_size()), kMaxPoints) << figure.id();
    }
  }
}

}  // namespace
}  // namespace gatekeeper::gates
