#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "gatekeeper/store/connection.h"
#include "gatekeeper/store/store.h"

namespace gatekeeper::store {
namespace {

using soci::into;
using soci::use;

constexpr int kVerifyBatch = 4096;

// A zero byte would end the text in some databases, and the chain with it.
std::string Printable(std::string text) {
  std::ranges::replace(text, '\0', ' ');
  return text;
}

v1::AuditEntry ReadEntry(const soci::row& row) {
  v1::AuditEntry entry;
  entry.set_seq(static_cast<uint64_t>(row.get<long long>(0)));
  entry.set_wall_ms(row.get<long long>(1));
  entry.set_actor(row.get<std::string>(2));
  entry.set_action(row.get<std::string>(3));
  entry.set_object(row.get<std::string>(4));
  entry.set_detail(row.get<std::string>(5));
  entry.set_previous_sha256(row.get<std::string>(6));
  entry.set_sha256(row.get<std::string>(7));
  return entry;
}

struct Head {
  long long seq = 0;
  std::string sha256;
};

// Kept beside the chain, so that entries cut off its end are missed.
Head ReadHead(soci::session& sql) {
  std::string text;
  sql << "SELECT value FROM meta WHERE name = 'audit head'", into(text);
  if (!sql.got_data()) return {};
  const size_t space = text.find(' ');
  return {std::stoll(text.substr(0, space)), text.substr(space + 1)};
}

void WriteHead(soci::session& sql, const v1::AuditEntry& entry) {
  const std::string text = absl::StrFormat("%d %s", entry.seq(), entry.sha256());
  if (entry.seq() == 1) {
    sql << "INSERT INTO meta (name, value) VALUES ('audit head', :text)", use(text);
  } else {
    sql << "UPDATE meta SET value = :text WHERE name = 'audit head'", use(text);
  }
}

absl::Status Broken(uint64_t seq, const char* why) {
  return absl::DataLossError(absl::StrFormat(
      "audit entry %d %s: the trail has been changed after it was written", seq, why));
}

}  // namespace

std::string AuditDigest(const v1::AuditEntry& entry) {
  // Each field with its length before it, so that no two entries share one text.
  std::string text;
  for (const std::string& field :
       {entry.previous_sha256(), std::to_string(entry.seq()), std::to_string(entry.wall_ms()),
        entry.actor(), entry.action(), entry.object(), entry.detail()}) {
    absl::StrAppendFormat(&text, "%d:%s,", field.size(), field);
  }
  return agent::trust::Sha256(text).hex();
}

absl::Status Store::Audit(v1::AuditEntry entry) {
  return Atomically([&] {
    soci::session& sql = connection_->sql;
    const Head head = ReadHead(sql);
    entry.set_seq(static_cast<uint64_t>(head.seq) + 1);
    entry.set_actor(Printable(entry.actor()));
    entry.set_action(Printable(entry.action()));
    entry.set_object(Printable(entry.object()));
    entry.set_detail(Printable(entry.detail()));
    entry.set_previous_sha256(head.sha256);
    entry.set_sha256(AuditDigest(entry));
    const long long seq = head.seq + 1, wall = entry.wall_ms();
    const std::string &actor = entry.actor(), &action = entry.action(), &object = entry.object(),
                      &detail = entry.detail(), &previous = entry.previous_sha256(),
                      &sha256 = entry.sha256();
    sql << "INSERT INTO audit (seq, wall_ms, actor, action, object, detail, previous_sha256, "
           "sha256) "
           "VALUES (:seq, :wall, :actor, :action, :object, :detail, :previous, :sha256)",
        use(seq), use(wall), use(actor), use(action), use(object), use(detail), use(previous),
        use(sha256);
    WriteHead(sql, entry);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<v1::AuditEntry>> Store::ReadAudit(uint64_t after_seq, int cap) {
  std::vector<v1::AuditEntry> entries;
  RETURN_IF_ERROR(
      Guarded("read the audit trail", [&] {
        const long long after = static_cast<long long>(after_seq);
        const soci::rowset<soci::row> rows =
            (connection_->sql.prepare
                 << "SELECT seq, wall_ms, actor, action, object, detail, previous_sha256, sha256 "
                    "FROM audit WHERE seq > :after ORDER BY seq LIMIT :cap",
             use(after), use(cap));
        for (const soci::row& row : rows) entries.push_back(ReadEntry(row));
        return absl::OkStatus();
      }));
  return entries;
}

absl::Status Store::VerifyAudit() {
  uint64_t seq = 0;
  std::string previous;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<v1::AuditEntry> batch, ReadAudit(seq, kVerifyBatch));
    for (const v1::AuditEntry& entry : batch) {
      ++seq;
      if (entry.seq() != seq) return Broken(seq, "is missing");
      if (entry.previous_sha256() != previous) return Broken(seq, "does not follow the one before");
      if (entry.sha256() != AuditDigest(entry)) return Broken(seq, "does not have its digest");
      previous = entry.sha256();
    }
    if (batch.size() < kVerifyBatch) break;
  }
  Head head;
  RETURN_IF_ERROR(Guarded("read the audit head", [&] {
    head = ReadHead(connection_->sql);
    return absl::OkStatus();
  }));
  if (static_cast<uint64_t>(head.seq) != seq) return Broken(seq + 1, "is missing");
  return head.sha256 == previous ? absl::OkStatus() : Broken(seq, "does not have its digest");
}

}  // namespace gatekeeper::store
