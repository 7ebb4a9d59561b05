#include <cstdio>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/table.h"
#include "gatekeeper/cli/utc_time.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/incident/draft.h"
#include "gatekeeper/incident/flight_timeline.h"

namespace gatekeeper::cli {
namespace {

absl::Status ListIncidents(const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::IncidentList list;
  RETURN_IF_ERROR(FromRemote(stub->ListIncidents(&context, {}, &list), session));
  if (session.json()) {
    PrintJson(list);
    return absl::OkStatus();
  }
  Table table({"INCIDENT", "OPENED (UTC)", "FLEET", "KIND", "TITLE"});
  for (const v1::Incident& incident : list.incidents()) {
    table.Add({incident.id(), UtcTime(incident.opened_ms()), incident.fleet(), incident.kind(),
               incident.title()});
  }
  std::fputs(table.Text().c_str(), stdout);
  return absl::OkStatus();
}

absl::Status ShowIncident(const std::string& id, const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::ShowIncidentRequest request;
  request.set_id(id);
  v1::Incident incident;
  RETURN_IF_ERROR(FromRemote(stub->ShowIncident(&context, request, &incident), session));
  if (session.json()) {
    PrintJson(incident);
  } else {
    std::fputs(incident.report_markdown().c_str(), stdout);
  }
  return absl::OkStatus();
}

// Needs no server: the folder is a robot's, or a copy of it.
absl::Status ShowFlight(const incident::FlightWindow& window) {
  ASSIGN_OR_RETURN(std::vector<incident::TimelineLine> lines, incident::FlightTimeline(window));
  std::fputs(incident::TimelineText(std::move(lines), "the robot's").c_str(), stdout);
  return absl::OkStatus();
}

// The server checks the whole chain before it answers, a page at a time.
absl::StatusOr<v1::AuditList> ReadAudit(uint64_t after, const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  v1::AuditList all;
  while (true) {
    grpc::ClientContext context;
    v1::ReadAuditRequest request;
    request.set_after_seq(after);
    v1::AuditList page;
    RETURN_IF_ERROR(FromRemote(stub->ReadAudit(&context, request, &page), session));
    if (page.entries().empty()) return all;
    after = page.entries(page.entries_size() - 1).seq();
    all.mutable_entries()->MergeFrom(page.entries());
  }
}

absl::Status ListAudit(uint64_t after, const Session& session) {
  ASSIGN_OR_RETURN(const v1::AuditList list, ReadAudit(after, session));
  if (session.json()) {
    PrintJson(list);
    return absl::OkStatus();
  }
  Table table({"SEQ", "TIME (UTC)", "ACTOR", "ACTION", "OBJECT", "DETAIL", "SHA256"});
  for (const v1::AuditEntry& entry : list.entries()) {
    table.Add({absl::StrFormat("%d", entry.seq()), UtcTime(entry.wall_ms()), entry.actor(),
               entry.action(), entry.object(), entry.detail(), entry.sha256().substr(0, 12)});
  }
  std::fputs(table.Text().c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddIncidentVerbs(CLI::App& app, Session& session) {
  CLI::App* incident = app.add_subcommand("incident", "drafted incident reports");
  incident->require_subcommand(1);
  incident->fallthrough();
  CLI::App* list = incident->add_subcommand("list", "newest first");
  list->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  list->callback([&session] { session.exit_code = Report(ListIncidents(session)); });
  auto id = std::make_shared<std::string>();
  CLI::App* show = incident->add_subcommand("show", "the report, as Markdown");
  show->add_option("ID", *id)->required();
  show->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  show->callback([id, &session] { session.exit_code = Report(ShowIncident(*id, session)); });

  auto window = std::make_shared<incident::FlightWindow>();
  CLI::App* flight = incident->add_subcommand(
      "flight", "what a robot's flight recorder tells: decisions, heat, power, latency");
  flight->add_option("FOLDER", window->recorder, "DIR/control/recorder of a robot, or a copy")
      ->required();
  flight->add_option("--last", window->seconds, "seconds before the end of the recording")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  flight->add_option("--until-ms", window->until_wall_ms,
                     "end elsewhere: milliseconds since 1970, by the robot's clock");
  flight->callback([window, &session] { session.exit_code = Report(ShowFlight(*window)); });

  CLI::App* audit = app.add_subcommand("audit", "who did what: a hash-chained log");
  audit->require_subcommand(1);
  audit->fallthrough();
  auto after = std::make_shared<uint64_t>(0);
  CLI::App* entries = audit->add_subcommand("list", "entries in order");
  entries->add_option("--after", *after, "only entries above this number");
  entries->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  entries->callback([after, &session] { session.exit_code = Report(ListAudit(*after, session)); });
}

}  // namespace gatekeeper::cli
