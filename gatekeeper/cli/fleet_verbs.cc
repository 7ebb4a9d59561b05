#include <cstdio>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/fleet_view.h"
#include "gatekeeper/cli/verbs.h"

namespace gatekeeper::cli {
namespace {

absl::Status CreateFleet(const std::string& name, const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::CreateFleetRequest request;
  request.set_name(name);
  v1::Empty reply;
  RETURN_IF_ERROR(FromRemote(stub->CreateFleet(&context, request, &reply), session));
  std::printf("fleet %s created\n", name.c_str());
  return absl::OkStatus();
}

absl::Status CreateRobot(const v1::CreateRobotRequest& request, const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::CreateRobotReply reply;
  RETURN_IF_ERROR(FromRemote(stub->CreateRobot(&context, request, &reply), session));
  if (session.json()) {
    PrintJson(reply);
    return absl::OkStatus();
  }
  std::printf(
      "robot %s created in fleet %s; the token works once. On the robot:\n"
      "  gatekeeper-agent --state DIR --server HOST:PORT --enrol HOST:ENROL_PORT \\\n"
      "    --robot %s --token %s --ca-sha256 %s\n",
      request.robot().c_str(), request.fleet().c_str(), request.robot().c_str(),
      reply.token().c_str(), reply.ca_sha256().c_str());
  return absl::OkStatus();
}

absl::StatusOr<v1::FleetView> FetchFleet(const std::string& name, const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::ShowFleetRequest request;
  request.set_fleet(name);
  v1::FleetView view;
  RETURN_IF_ERROR(FromRemote(stub->ShowFleet(&context, request, &view), session));
  return view;
}

absl::Status ShowFleet(const std::string& name, const Session& session) {
  ASSIGN_OR_RETURN(const v1::FleetView view, FetchFleet(name, session));
  if (session.json()) {
    PrintJson(view);
  } else {
    std::fputs(FleetTable(view).c_str(), stdout);
  }
  return absl::OkStatus();
}

absl::Status Status(const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::FleetList fleets;
  RETURN_IF_ERROR(FromRemote(stub->ListFleets(&context, {}, &fleets), session));
  if (fleets.names().empty())
    std::printf("no fleets yet; make one with: gatekeeper fleet create\n");
  for (const std::string& name : fleets.names()) {
    ASSIGN_OR_RETURN(const v1::FleetView view, FetchFleet(name, session));
    std::printf("fleet %s: %d robots\n%s", name.c_str(), view.robots_size(),
                FleetTable(view).c_str());
  }
  return absl::OkStatus();
}

void AddFleet(CLI::App& app, Session& session) {
  CLI::App* fleet = app.add_subcommand("fleet", "groups of robots");
  fleet->require_subcommand(1);
  fleet->fallthrough();
  auto name = std::make_shared<std::string>();
  CLI::App* create = fleet->add_subcommand("create", "a new, empty fleet");
  create->add_option("FLEET", *name)->required();
  create->callback([name, &session] { session.exit_code = Report(CreateFleet(*name, session)); });
  CLI::App* show = fleet->add_subcommand("show", "each robot: running, wanted, state");
  show->add_option("FLEET", *name)->required();
  show->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  show->callback([name, &session] { session.exit_code = Report(ShowFleet(*name, session)); });
}

void AddRobot(CLI::App& app, Session& session) {
  CLI::App* robot = app.add_subcommand("robot", "single robots");
  robot->require_subcommand(1);
  robot->fallthrough();
  auto request = std::make_shared<v1::CreateRobotRequest>();
  CLI::App* create = robot->add_subcommand("create", "register a robot; prints its one-time token");
  create->add_option("ROBOT", *request->mutable_robot())->required();
  create->add_option("--fleet", *request->mutable_fleet())->required();
  create->add_option("--hardware", *request->mutable_hardware(), "hardware class")->required();
  create
      ->add_option_function<uint32_t>(
          "--token-hours", [request](uint32_t hours) { request->set_token_hours(hours); },
          "how long the token works (default 24)")
      ->check(CLI::Range(1, 24));
  create->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  create->callback(
      [request, &session] { session.exit_code = Report(CreateRobot(*request, session)); });
  AddRearmVerbs(app, *robot, session);
}

}  // namespace

void AddFleetVerbs(CLI::App& app, Session& session) {
  AddFleet(app, session);
  AddRobot(app, session);
  CLI::App* status = app.add_subcommand("status", "every fleet, every robot");
  status->callback([&session] { session.exit_code = Report(Status(session)); });
}

}  // namespace gatekeeper::cli
