#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/store/connection.h"
#include "gatekeeper/store/store.h"

namespace gatekeeper::store {
namespace {

using soci::into;
using soci::use;

constexpr size_t kLeastPrefix = 12;  // 48 bits: two units of one gatekeeper do not meet by chance

bool IsDigestPrefix(const std::string& text) {
  return text.size() >= kLeastPrefix && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

absl::Status NoUnit(const std::string& text) {
  return absl::NotFoundError(absl::StrFormat("there is no unit %s here; push it first", text));
}

}  // namespace

absl::Status Store::AddUnit(const Unit& unit) {
  return Atomically([&]() -> absl::Status {
    soci::session& sql = connection_->sql;
    std::string taken;
    sql << "SELECT digest FROM units WHERE digest = :digest OR (name = :name AND version = "
           ":version)",
        use(unit.digest), use(unit.name), use(unit.version), into(taken);
    if (sql.got_data()) {
      return absl::AlreadyExistsError(absl::StrFormat(
          "%s is taken by unit %s: a version never changes; give the new unit a new one",
          unit.title(), taken.substr(0, 12)));
    }
    const std::string papers = ToColumn(unit.papers);
    const long long pushed = unit.pushed_ms;
    const int released = unit.released ? 1 : 0;
    sql << "INSERT INTO units (digest, name, version, pushed_ms, held_reason, released, papers) "
           "VALUES (:digest, :name, :version, :pushed, :held, :released, :papers)",
        use(unit.digest), use(unit.name), use(unit.version), use(pushed), use(unit.held_reason),
        use(released), use(papers);
    return absl::OkStatus();
  });
}

absl::StatusOr<Unit> Store::FindUnit(const std::string& digest) {
  Unit unit;
  RETURN_IF_ERROR(Guarded("read unit", [&]() -> absl::Status {
    soci::session& sql = connection_->sql;
    long long pushed = 0, released = 0;
    std::string papers;
    sql << "SELECT digest, name, version, pushed_ms, held_reason, released, papers FROM units "
           "WHERE digest = :digest",
        use(digest), into(unit.digest), into(unit.name), into(unit.version), into(pushed),
        into(unit.held_reason), into(released), into(papers);
    if (!sql.got_data()) return NoUnit(digest.substr(0, 12));
    unit.pushed_ms = pushed;
    unit.released = released != 0;
    return FromColumn(papers, "unit " + digest, unit.papers);
  }));
  return unit;
}

absl::StatusOr<Unit> Store::ResolveUnit(const std::string& text) {
  std::vector<std::string> digests;
  const size_t at = text.find('@');
  if (at == std::string::npos && !IsDigestPrefix(text)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "\"%s\" names no unit: write name@version, or at least %d hex digits of its digest", text,
        kLeastPrefix));
  }
  RETURN_IF_ERROR(Guarded("find unit", [&] {
    soci::session& sql = connection_->sql;
    const std::string pattern = text + "%";
    const std::string name = text.substr(0, at);
    const std::string version = at == std::string::npos ? "" : text.substr(at + 1);
    const soci::rowset<std::string> rows =
        at == std::string::npos
            ? (sql.prepare << "SELECT digest FROM units WHERE digest LIKE :pattern", use(pattern))
            : (sql.prepare << "SELECT digest FROM units WHERE name = :name AND version = :version",
               use(name), use(version));
    digests.assign(rows.begin(), rows.end());
    return absl::OkStatus();
  }));
  if (digests.empty()) return NoUnit(text);
  if (digests.size() > 1) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s begins the digests of %d units; write more of it", text, digests.size()));
  }
  return FindUnit(digests.front());
}

absl::StatusOr<std::vector<Unit>> Store::Units() {
  std::vector<Unit> units;
  RETURN_IF_ERROR(Guarded("read units", [&] {
    const soci::rowset<soci::row> rows =
        (connection_->sql.prepare << "SELECT digest, name, version, pushed_ms, held_reason, "
                                     "released FROM units ORDER BY pushed_ms DESC, digest");
    for (const soci::row& row : rows) {
      Unit& unit = units.emplace_back();
      unit.digest = row.get<std::string>(0);
      unit.name = row.get<std::string>(1);
      unit.version = row.get<std::string>(2);
      unit.pushed_ms = row.get<long long>(3);
      unit.held_reason = row.get<std::string>(4);
      unit.released = row.get<long long>(5) != 0;
    }
    return absl::OkStatus();
  }));
  return units;
}

absl::Status Store::HoldUnit(const std::string& digest, const std::string& reason) {
  return Atomically([&]() -> absl::Status {
    soci::statement hold = (connection_->sql.prepare
                                << "UPDATE units SET held_reason = :reason WHERE digest = :digest",
                            use(reason), use(digest));
    hold.execute(true);
    return hold.get_affected_rows() == 1 ? absl::OkStatus() : NoUnit(digest.substr(0, 12));
  });
}

absl::Status Store::ReleaseUnit(const std::string& digest) {
  return Atomically(
      [&]() -> absl::Status {
        soci::statement release =
            (connection_->sql.prepare
                 << "UPDATE units SET held_reason = '', released = 1 WHERE digest = :digest",
             use(digest));
        release.execute(true);
        return release.get_affected_rows() == 1 ? absl::OkStatus() : NoUnit(digest.substr(0, 12));
      });
}

absl::StatusOr<bool> Store::AllowStep(const AllowedStep& step) {
  bool is_new = false;
  RETURN_IF_ERROR(Atomically([&] {
    soci::session& sql = connection_->sql;
    int known = 0;
    sql << "SELECT count(*) FROM allowed_steps WHERE digest = :digest AND came_from = :came_from "
           "AND people = :people AND last_day = :last_day",
        use(step.digest), use(step.from), use(step.people), use(step.last_day), into(known);
    if (known > 0) return absl::OkStatus();
    is_new = true;
    sql << "INSERT INTO allowed_steps (digest, came_from, people, last_day) "
           "VALUES (:digest, :came_from, :people, :last_day)",
        use(step.digest), use(step.from), use(step.people), use(step.last_day);
    return absl::OkStatus();
  }));
  return is_new;
}

absl::StatusOr<std::vector<AllowedStep>> Store::AllowedSteps(const std::string& from,
                                                             const std::string& digest) {
  std::vector<AllowedStep> steps;
  RETURN_IF_ERROR(Guarded("read allowed steps", [&] {
    const soci::rowset<soci::row> rows =
        (connection_->sql.prepare << "SELECT people, last_day FROM allowed_steps WHERE digest = "
                                     ":digest AND came_from = :came_from ORDER BY last_day",
         use(digest), use(from));
    for (const soci::row& row : rows) {
      steps.push_back({.digest = digest,
                       .from = from,
                       .people = row.get<std::string>(0),
                       .last_day = row.get<std::string>(1)});
    }
    return absl::OkStatus();
  }));
  return steps;
}

}  // namespace gatekeeper::store
