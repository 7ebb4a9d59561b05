#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/store/connection.h"
#include "gatekeeper/store/store.h"

namespace gatekeeper::store {
namespace {

using soci::into;
using soci::use;

StoredIncident ReadIncident(const soci::row& row) {
  return {.id = row.get<std::string>(0),
          .fleet = row.get<std::string>(1),
          .opened_ms = row.get<long long>(2),
          .kind = row.get<std::string>(3),
          .title = row.get<std::string>(4),
          .facts_json = row.get<std::string>(5),
          .open = row.get<long long>(6) != 0};
}

constexpr char kIncidentColumns[] =
    "SELECT id, fleet, opened_ms, kind, title, facts, still_open FROM incidents ";

}  // namespace

absl::Status Store::PutRollout(const v1::RolloutState& state) {
  return Atomically([&] {
    soci::session& sql = connection_->sql;
    const std::string column = ToColumn(state);
    const std::string& id = state.id();
    soci::statement update =
        (sql.prepare << "UPDATE rollouts SET state = :state WHERE id = :id", use(column), use(id));
    update.execute(true);
    if (update.get_affected_rows() == 0) {
      const std::string& fleet = state.fleet();
      sql << "INSERT INTO rollouts (id, fleet, place, state) "
             "SELECT :id, :fleet, coalesce(max(place), 0) + 1, :state FROM rollouts",
          use(id), use(fleet), use(column);
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::RolloutState> Store::FindRollout(const std::string& id) {
  v1::RolloutState state;
  RETURN_IF_ERROR(Guarded("read rollout", [&]() -> absl::Status {
    std::string column;
    soci::session& sql = connection_->sql;
    sql << "SELECT state FROM rollouts WHERE id = :id", use(id), into(column);
    if (!sql.got_data()) return absl::NotFoundError(absl::StrFormat("there is no rollout %s", id));
    return FromColumn(column, "rollout " + id, state);
  }));
  return state;
}

absl::StatusOr<std::vector<v1::RolloutState>> Store::Rollouts(const std::string& fleet) {
  std::vector<v1::RolloutState> states;
  RETURN_IF_ERROR(
      Guarded("read rollouts", [&]() -> absl::Status {
        const soci::rowset<std::string> rows =
            (connection_->sql.prepare
                 << "SELECT state FROM rollouts WHERE fleet = :fleet ORDER BY place DESC",
             use(fleet));
        for (const std::string& column : rows) {
          RETURN_IF_ERROR(FromColumn(column, "a rollout of " + fleet, states.emplace_back()));
        }
        return absl::OkStatus();
      }));
  return states;
}

absl::StatusOr<bool> Store::AddEvent(const StoredEvent& stored) {
  bool is_new = false;
  RETURN_IF_ERROR(Atomically([&] {
    soci::session& sql = connection_->sql;
    // A reinstalled robot counts from 1 again; its clock tells its events from those of before.
    const std::string id = absl::StrFormat("%d/%d", stored.event.id(), stored.event.wall_ms());
    int known = 0;
    sql << "SELECT count(*) FROM events WHERE robot = :robot AND id = :id", use(stored.robot),
        use(id), into(known);
    is_new = known == 0;
    if (!is_new) return absl::OkStatus();
    const std::string column = ToColumn(stored.event);
    const long long received = stored.received_ms;
    sql << "INSERT INTO events (robot, id, received_ms, event) "
           "VALUES (:robot, :id, :received, :event)",
        use(stored.robot), use(id), use(received), use(column);
    return absl::OkStatus();
  }));
  return is_new;
}

absl::StatusOr<std::vector<StoredEvent>> Store::Events(const std::vector<std::string>& robots,
                                                       int64_t from_ms, int64_t to_ms, int cap) {
  std::vector<StoredEvent> events;
  RETURN_IF_ERROR(Guarded("read events", [&]() -> absl::Status {
    const long long from = from_ms, to = to_ms;
    const soci::rowset<soci::row> rows =
        (connection_->sql.prepare << "SELECT robot, received_ms, event FROM events WHERE "
                                     "received_ms >= :from AND received_ms <= :to "
                                     "ORDER BY received_ms, robot, id",
         use(from), use(to));
    for (const soci::row& row : rows) {
      const std::string robot = row.get<std::string>(0);
      if (std::ranges::find(robots, robot) == robots.end()) continue;
      if (static_cast<int>(events.size()) >= cap) break;
      StoredEvent& stored = events.emplace_back();
      stored.robot = robot;
      stored.received_ms = row.get<long long>(1);
      RETURN_IF_ERROR(FromColumn(row.get<std::string>(2), "an event of " + robot, stored.event));
    }
    return absl::OkStatus();
  }));
  return events;
}

absl::Status Store::PutIncident(const StoredIncident& incident) {
  return Atomically([&] {
    soci::session& sql = connection_->sql;
    const int open = incident.open ? 1 : 0;
    const long long opened = incident.opened_ms;
    soci::statement update =
        (sql.prepare << "UPDATE incidents SET facts = :facts, still_open = :open WHERE id = :id",
         use(incident.facts_json), use(open), use(incident.id));
    update.execute(true);
    if (update.get_affected_rows() == 0) {
      sql << "INSERT INTO incidents (id, fleet, opened_ms, kind, title, facts, still_open) "
             "VALUES (:id, :fleet, :opened, :kind, :title, :facts, :open)",
          use(incident.id), use(incident.fleet), use(opened), use(incident.kind),
          use(incident.title), use(incident.facts_json), use(open);
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<StoredIncident> Store::FindIncident(const std::string& id) {
  StoredIncident found;
  RETURN_IF_ERROR(Guarded("read incident", [&]() -> absl::Status {
    const soci::rowset<soci::row> rows =
        (connection_->sql.prepare << kIncidentColumns << "WHERE id = :id", use(id));
    for (const soci::row& row : rows) found = ReadIncident(row);
    if (!found.id.empty()) return absl::OkStatus();
    return absl::NotFoundError(absl::StrFormat("there is no incident %s", id));
  }));
  return found;
}

absl::StatusOr<std::vector<StoredIncident>> Store::Incidents() {
  std::vector<StoredIncident> incidents;
  RETURN_IF_ERROR(Guarded("read incidents", [&] {
    const soci::rowset<soci::row> rows =
        (connection_->sql.prepare << kIncidentColumns << "ORDER BY opened_ms DESC, id DESC");
    for (const soci::row& row : rows) incidents.push_back(ReadIncident(row));
    return absl::OkStatus();
  }));
  return incidents;
}

}  // namespace gatekeeper::store
