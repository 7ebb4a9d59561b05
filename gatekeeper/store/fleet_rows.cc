#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/store/connection.h"
#include "gatekeeper/store/store.h"

namespace gatekeeper::store {
namespace {

using soci::into;
using soci::use;

// Both tables of last states: robot, state.
absl::Status PutState(soci::session& sql, const char* table, const std::string& robot,
                      const google::protobuf::Message& state) {
  const std::string column = ToColumn(state);
  soci::statement update =
      (sql.prepare << "UPDATE " << table << " SET state = :state WHERE robot = :robot", use(column),
       use(robot));
  update.execute(true);
  if (update.get_affected_rows() == 0) {
    sql << "INSERT INTO " << table << " (robot, state) VALUES (:robot, :state)", use(robot),
        use(column);
  }
  return absl::OkStatus();
}

template <class State>
absl::Status ReadStates(soci::session& sql, const char* table,
                        std::map<std::string, State>& states) {
  const soci::rowset<soci::row> rows = (sql.prepare << "SELECT robot, state FROM " << table);
  for (const soci::row& row : rows) {
    const std::string robot = row.get<std::string>(0);
    RETURN_IF_ERROR(FromColumn(row.get<std::string>(1), table + (" of " + robot), states[robot]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Store::AddFleet(const std::string& name, int64_t wall_ms) {
  return Atomically([&]() -> absl::Status {
    soci::session& sql = connection_->sql;
    const long long created = wall_ms;
    int count = 0;
    sql << "SELECT count(*) FROM fleets WHERE fleet = :name", use(name), into(count);
    if (count > 0) {
      return absl::AlreadyExistsError(absl::StrFormat("fleet %s exists already", name));
    }
    sql << "INSERT INTO fleets (fleet, created_ms) VALUES (:name, :created)", use(name),
        use(created);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::string>> Store::Fleets() {
  std::vector<std::string> names;
  RETURN_IF_ERROR(Guarded("read fleets", [&] {
    const soci::rowset<std::string> rows =
        (connection_->sql.prepare << "SELECT fleet FROM fleets ORDER BY fleet");
    names.assign(rows.begin(), rows.end());
    return absl::OkStatus();
  }));
  return names;
}

absl::Status Store::AddRobot(const Robot& robot, int64_t wall_ms) {
  return Atomically([&]() -> absl::Status {
    soci::session& sql = connection_->sql;
    const long long created = wall_ms;
    int robots = 0, fleets = 0;
    sql << "SELECT count(*) FROM robots WHERE robot = :robot", use(robot.robot), into(robots);
    if (robots > 0) {
      return absl::AlreadyExistsError(absl::StrFormat("robot %s exists already", robot.robot));
    }
    sql << "SELECT count(*) FROM fleets WHERE fleet = :fleet", use(robot.fleet), into(fleets);
    if (fleets == 0) {
      return absl::NotFoundError(absl::StrFormat("there is no fleet %s", robot.fleet));
    }
    sql << "INSERT INTO robots (robot, fleet, hardware, created_ms) "
           "VALUES (:robot, :fleet, :hardware, :created)",
        use(robot.robot), use(robot.fleet), use(robot.hardware), use(created);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<Robot>> Store::Robots() {
  std::vector<Robot> robots;
  RETURN_IF_ERROR(Guarded("read robots", [&] {
    const soci::rowset<soci::row> rows =
        (connection_->sql.prepare << "SELECT robot, fleet, hardware FROM robots ORDER BY robot");
    for (const soci::row& row : rows) {
      robots.push_back({row.get<std::string>(0), row.get<std::string>(1), row.get<std::string>(2)});
    }
    return absl::OkStatus();
  }));
  return robots;
}

absl::StatusOr<Robot> Store::FindRobot(const std::string& robot) {
  Robot found;
  RETURN_IF_ERROR(Guarded("read robot", [&]() -> absl::Status {
    soci::session& sql = connection_->sql;
    sql << "SELECT robot, fleet, hardware FROM robots WHERE robot = :robot", use(robot),
        into(found.robot), into(found.fleet), into(found.hardware);
    if (sql.got_data()) return absl::OkStatus();
    return absl::NotFoundError(absl::StrFormat("there is no robot %s", robot));
  }));
  return found;
}

absl::Status Store::AddToken(const std::string& token_sha256, const std::string& robot,
                             int64_t expires_ms) {
  return Atomically([&] {
    const long long expires = expires_ms;
    soci::session& sql = connection_->sql;
    // One token a robot: a fresh one ends those given before.
    sql << "DELETE FROM tokens WHERE robot = :robot AND used_ms = 0", use(robot);
    sql << "INSERT INTO tokens (sha256, robot, expires_ms, used_ms) "
           "VALUES (:sha256, :robot, :expires, 0)",
        use(token_sha256), use(robot), use(expires);
    return absl::OkStatus();
  });
}

absl::Status Store::UseToken(const std::string& token_sha256, const std::string& robot,
                             int64_t wall_ms) {
  return Atomically([&]() -> absl::Status {
    const long long now = wall_ms;
    soci::statement use_up =
        (connection_->sql.prepare << "UPDATE tokens SET used_ms = :now WHERE sha256 = :sha256 AND "
                                     "robot = :robot AND used_ms = 0 AND expires_ms > :now2",
         use(now), use(token_sha256), use(robot), use(now));
    use_up.execute(true);
    if (use_up.get_affected_rows() == 1) return absl::OkStatus();
    return absl::PermissionDeniedError(
        "the token is not good for this robot; ask an operator for a fresh one "
        "(tokens work once, for one robot, within their hours)");
  });
}

absl::Status Store::PutDesired(const std::string& robot, const v1::DesiredState& desired) {
  return Atomically([&] { return PutState(connection_->sql, "desired", robot, desired); });
}

absl::StatusOr<std::map<std::string, v1::DesiredState>> Store::Desired() {
  std::map<std::string, v1::DesiredState> states;
  RETURN_IF_ERROR(Guarded("read desired states",
                          [&] { return ReadStates(connection_->sql, "desired", states); }));
  return states;
}

absl::Status Store::PutObserved(const std::string& robot, const v1::ObservedState& observed) {
  return Atomically([&] { return PutState(connection_->sql, "observed", robot, observed); });
}

absl::StatusOr<std::map<std::string, v1::ObservedState>> Store::Observed() {
  std::map<std::string, v1::ObservedState> states;
  RETURN_IF_ERROR(Guarded("read observed states",
                          [&] { return ReadStates(connection_->sql, "observed", states); }));
  return states;
}

absl::Status Store::AddServed(const std::string& robot, const std::string& digest) {
  return Atomically([&] {
    soci::session& sql = connection_->sql;
    int known = 0;
    sql << "SELECT count(*) FROM served WHERE robot = :robot AND digest = :digest", use(robot),
        use(digest), into(known);
    if (known > 0) return absl::OkStatus();
    sql << "INSERT INTO served (robot, digest) VALUES (:robot, :digest)", use(robot), use(digest);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::map<std::string, std::set<std::string>>> Store::Served() {
  std::map<std::string, std::set<std::string>> served;
  RETURN_IF_ERROR(Guarded("read units in service", [&] {
    const soci::rowset<soci::row> rows =
        (connection_->sql.prepare << "SELECT robot, digest FROM served");
    for (const soci::row& row : rows) {
      served[row.get<std::string>(0)].insert(row.get<std::string>(1));
    }
    return absl::OkStatus();
  }));
  return served;
}

}  // namespace gatekeeper::store
