#include <gmock/gmock.h>
#include <sqlite3.h>

#include <limits>

#include "gatekeeper/server/stop_id.h"
#include "tests/gatekeeper/server/core_world.h"

// Which stops of robots open an incident, and which are counted in one that is there.

namespace {

using testing::HasSubstr;
using testing::Not;
using tests::CoreWorld;
namespace v1 = gatekeeper::v1;

constexpr int64_t kHour = 3'600'000;
constexpr char kContact[] = "contact (layer circuit) in SAFE_STOPPED";

class FleetStopsTest : public testing::Test {
 protected:
  FleetStopsTest() { world_.AddFleet("north", 3); }

  // The gatekeeper hears of an event of north-0 now.
  void Hear(const std::string& kind, const std::string& detail, int64_t happened_ms,
            const std::string& unit = "", const std::string& robot = "north-0") {
    v1::RobotEvent event;
    event.set_id(++id_);
    event.set_wall_ms(happened_ms);
    event.set_kind(kind);
    event.set_unit_digest(unit);
    event.set_detail(detail);
    world_.core->OnEvent(robot, event, world_.now);
  }
  int Incidents() {
    EXPECT_OK(world_.core->Poll(world_.now));
    return world_.core->ListIncidents()->incidents_size();
  }
  int Stop(int64_t happened_ms, const std::string& detail = kContact) {
    Hear("stopped", detail, happened_ms);
    return Incidents();
  }
  // Of the newest incident.
  std::string Report() {
    const v1::IncidentList all = *world_.core->ListIncidents();
    return world_.core->ShowIncident(all.incidents(0).id(), world_.now)->report_markdown();
  }
  int64_t now() const { return world_.now.wall_ms; }
  static std::string Estop(const std::string& before, char id) {
    return before + ", incident " + std::string(32, id);
  }

  CoreWorld world_;
  uint64_t id_ = 0;
};

TEST_F(FleetStopsTest, AStopOpensOneIncidentARobotUnitAndCause) {
  EXPECT_EQ(Stop(now()), 1);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Stop(now()), 1) << "it flaps";
  Hear("stopped", kContact, now(), "", "north-1");
  EXPECT_EQ(Incidents(), 2) << "another robot";
  EXPECT_EQ(Stop(now(), "input_stale (layer firmware) in SAFE_STOPPED"), 3);
  Hear("stopped", kContact, now(), std::string(64, 'b'));
  EXPECT_EQ(Incidents(), 4) << "another unit stopped it";
  Hear("fallback", kContact, now());
  EXPECT_EQ(Incidents(), 4) << "no stop";

  const v1::Incident newest = world_.core->ListIncidents()->incidents(0);
  EXPECT_EQ(newest.kind(), "stop");
  EXPECT_EQ(newest.title(), std::string("Stop of north-0 by ") + kContact);
  EXPECT_THAT(Report(), HasSubstr(std::string("north-0 was stopped by ") + kContact));
  EXPECT_THAT(Report(), HasSubstr("robot/north-0: stopped: contact (layer circuit)"));
}

TEST_F(FleetStopsTest, AnIncidentTellsHowOftenAndWhenByTheRobotsClock) {
  Stop(now());
  EXPECT_THAT(Report(), HasSubstr("| Stopped | 2026-01-01 00:00:00.000 by the robot's clock |"));
  world_.now.wall_ms += 90'000;
  Stop(now() - 500);
  Stop(now() - 1000);
  EXPECT_THAT(Report(),
              HasSubstr("| Stopped | 3 times, 2026-01-01 00:00:00.000 to 2026-01-01 00:01:29.500 "
                        "by the robot's clock; last told 2026-01-01 00:01:30.000 UTC |"));
}

TEST_F(FleetStopsTest, AnHourOfQuietEndsAnIncident) {
  EXPECT_EQ(Stop(now()), 1);
  for (int i = 0; i < 3; ++i) {
    world_.now.wall_ms += kHour;
    EXPECT_EQ(Stop(now()), 1) << "within an hour of the last one";
  }
  world_.now.wall_ms += kHour + 1;
  EXPECT_EQ(Stop(now()), 2);
}

TEST_F(FleetStopsTest, OldStopsThatAreToldTogetherAreCountedByWhenTheyHappened) {
  const int64_t began = now();
  world_.now.wall_ms += 48 * kHour;
  for (const int64_t happened : {began, began + kHour, began + 2 * kHour + 1, began + 12 * kHour}) {
    Hear("stopped", kContact, happened);
  }
  EXPECT_EQ(Incidents(), 3);
  EXPECT_EQ(Stop(began + 12 * kHour - kHour), 3) << "a clock that was set back a little";
  EXPECT_EQ(Stop(began + 12 * kHour - 2 * kHour - 1), 4);
}

TEST_F(FleetStopsTest, AStopThatIsToldLateBelongsToTheIncidentOfItsTime) {
  EXPECT_EQ(Stop(now()), 1);
  const int64_t happened = now() + kHour / 2;
  world_.now.wall_ms += 5 * kHour;
  EXPECT_EQ(Stop(happened), 1);
  EXPECT_THAT(Report(), HasSubstr("2 times, "));
}

// A robot whose clock keeps no time stops at the same minute of each of its lives.
TEST_F(FleetStopsTest, AClockThatBeginsAnewWithEachStartDoesNotHideAStop) {
  EXPECT_EQ(Stop(1000), 1);
  world_.now.wall_ms += kHour;
  EXPECT_EQ(Stop(1000), 1);
  world_.now.wall_ms += kHour + 1;
  EXPECT_EQ(Stop(1000), 2);
}

TEST_F(FleetStopsTest, AnEmergencyStopThatIsToldAgainIsKnownByItsId) {
  Hear("estop", Estop("contact (layer circuit)", 'a'), now());
  EXPECT_EQ(Incidents(), 1);
  const std::string before = Report();
  world_.now.wall_ms += 30 * 24 * kHour;
  Hear("estop", Estop("contact", 'a'), now() - 30 * 24 * kHour, std::string(64, 'b'));
  Hear("estop", Estop("contact", 'a'), now());
  EXPECT_EQ(Incidents(), 1);
  EXPECT_THAT(Report(), HasSubstr("by the robot's clock |\n")) << "it is no other stop";
  EXPECT_THAT(Report(), Not(HasSubstr("times")));

  Hear("estop", Estop("contact (layer circuit)", 'b'), now());
  EXPECT_EQ(Incidents(), 2) << "another stop, of the same cause";
  Hear("estop", Estop("contact (layer circuit)", 'b'), now(), "", "north-1");
  EXPECT_EQ(Incidents(), 3) << "another robot's";
}

TEST_F(FleetStopsTest, EmergencyStopsWithoutAnIdAreAllToldOf) {
  for (int i = 1; i <= 3; ++i) {
    Hear("estop", "contact (layer circuit)", now());
    EXPECT_EQ(Incidents(), i);
  }
}

TEST_F(FleetStopsTest, WhatIsKnownOutlivesTheServer) {
  Hear("estop", Estop("contact", 'a'), now());
  Stop(now());
  Stop(now());
  ASSERT_EQ(Incidents(), 2);
  world_.Restart();
  Hear("estop", Estop("contact", 'a'), now());
  EXPECT_EQ(Stop(now()), 2);
  EXPECT_THAT(Report() + world_.core->ShowIncident("incident-2", world_.now)->report_markdown(),
              HasSubstr("| Stopped | 3 times, "));
}

TEST_F(FleetStopsTest, AClockThatSaysAnythingIsCountedWithAllTheSame) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Stop(kLeast), 1);
  EXPECT_EQ(Stop(kLeast), 1);
  EXPECT_EQ(Stop(kHour), 1);
  EXPECT_EQ(Stop(kMost), 2) << "far from the first";
  EXPECT_EQ(Stop(kMost), 2);
  EXPECT_THAT(Report(), HasSubstr("| Stopped | 2 times, 9999-12-31 23:59:59.999 to 9999-12-31"));
  EXPECT_EQ(Stop(kLeast), 3);
  EXPECT_THAT(Report(), HasSubstr("| Stopped | 1970-01-01 00:00:00.000 by the robot's clock |"));
}

TEST_F(FleetStopsTest, WhatWasKnownBeforeAWriteFailedIsKnownAfterIt) {
  Hear("estop", Estop("contact", 'a'), now());
  ASSERT_EQ(Stop(now()), 2);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((world_.folder / "gatekeeper.db").c_str(), &other), SQLITE_OK);
  const auto rename = [&](const char* sql) {
    ASSERT_EQ(sqlite3_exec(other, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  };
  for (const std::string table : {"audit", "incidents"}) {
    rename(("ALTER TABLE " + table + " RENAME TO away").c_str());
    Hear("stopped", kContact, now());
    Hear("estop", Estop("contact", table[0] == 'a' ? 'b' : 'c'), now());
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(world_.core->Poll(world_.now).ok()) << table;
    rename(("ALTER TABLE away RENAME TO " + table).c_str());
    EXPECT_OK(world_.core->Poll(world_.now)) << table;
  }
  sqlite3_close(other);

  Hear("estop", Estop("contact", 'a'), now());
  EXPECT_EQ(Incidents(), 4) << "told again: no other stop";
  EXPECT_THAT(world_.core->ShowIncident("incident-2", world_.now)->report_markdown(),
              HasSubstr("| Stopped | 3 times, "))
      << "counted once each";
}

TEST_F(FleetStopsTest, AStopThatCouldNotBeWrittenDownIsAnIncidentOnceItCan) {
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((world_.folder / "gatekeeper.db").c_str(), &other), SQLITE_OK);
  const auto rename = [&](const char* sql) {
    ASSERT_EQ(sqlite3_exec(other, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  };
  rename("ALTER TABLE audit RENAME TO away");
  Hear("estop", Estop("contact", 'a'), now());
  Hear("stopped", kContact, now());
  EXPECT_FALSE(world_.core->Poll(world_.now).ok());
  EXPECT_EQ(world_.core->ListIncidents()->incidents_size(), 0);

  rename("ALTER TABLE away RENAME TO audit");
  sqlite3_close(other);
  EXPECT_EQ(Incidents(), 2);
  EXPECT_THAT(Report(), Not(HasSubstr("times")));
}

TEST(StopIdTest, IsTheIncidentThatStandsAtTheEnd) {
  const std::string id = "0123456789abcdef0123456789abcdef";
  using gatekeeper::server::StopIdOf;
  EXPECT_EQ(StopIdOf("estop_button (layer circuit), incident " + id), id);
  EXPECT_EQ(StopIdOf(", incident " + id), id);
  for (const std::string& other :
       {std::string(), id, " incident " + id, "x, incident " + id + "0",
        "x, incident " + id.substr(1), "x, incident " + id + ".", "x, incident g" + id.substr(1)}) {
    EXPECT_EQ(StopIdOf(other), "") << other;
  }
}

}  // namespace
