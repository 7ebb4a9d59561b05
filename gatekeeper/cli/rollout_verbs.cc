#include <chrono>
#include <cstdio>
#include <thread>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/fleet_view.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/rollout/plan.h"

namespace gatekeeper::cli {
namespace {

constexpr size_t kMaxPlan = 1 << 20;
constexpr auto kWatchEvery = std::chrono::milliseconds(250);

struct StartArguments {
  std::string unit;
  std::string fleet;
  std::string plan;
  bool watch = false;
  int timeout_s = 24 * 3600;
};

absl::StatusOr<v1::RolloutView> Fetch(v1::Operator::Stub& stub,
                                      const v1::GetRolloutRequest& request,
                                      const Session& session) {
  grpc::ClientContext context;
  v1::RolloutView view;
  RETURN_IF_ERROR(FromRemote(stub.GetRollout(&context, request, &view), session));
  return view;
}

std::string Line(const v1::RolloutView& view) {
  const v1::RolloutState& state = view.state();
  const std::string wave = static_cast<int>(state.wave()) < state.plan().waves_size()
                               ? state.plan().waves(static_cast<int>(state.wave())).name()
                               : "-";
  return absl::StrFormat("wave %d of %d (%s)  %s", state.wave() + 1, state.plan().waves_size(),
                         wave, PhaseName(state.phase()));
}

// One line a change, until the rollout has ended or time is up.
absl::StatusOr<ExitCode> Watch(v1::Operator::Stub& stub, const std::string& id, int timeout_s,
                               const Session& session) {
  const auto start = std::chrono::steady_clock::now();
  v1::GetRolloutRequest request;
  request.set_id(id);
  std::string shown;
  while (true) {
    ASSIGN_OR_RETURN(const v1::RolloutView view, Fetch(stub, request, session));
    const auto elapsed = std::chrono::steady_clock::now() - start;
    const double seconds = std::chrono::duration<double>(elapsed).count();
    if (const std::string line = Line(view); line != shown) {
      std::printf("%7.1f s  %s\n", seconds, line.c_str());
      std::fflush(stdout);
      shown = line;
    }
    if (HasEnded(view.state().phase())) {
      std::fputs(RolloutText(view).c_str(), stdout);
      return view.state().phase() == v1::DONE ? ExitCode::kOk : ExitCode::kRolloutAborted;
    }
    if (seconds > timeout_s) {
      return absl::DeadlineExceededError(absl::StrFormat(
          "rollout %s goes on after %d s; look again with: gatekeeper rollout status --id %s", id,
          timeout_s, id));
    }
    std::this_thread::sleep_for(kWatchEvery);
  }
}

absl::StatusOr<ExitCode> Start(const StartArguments& arguments, const Session& session) {
  ASSIGN_OR_RETURN(const std::string yaml, agent::base::OsFiles().Read(arguments.plan, kMaxPlan));
  v1::StartRolloutRequest request;
  ASSIGN_OR_RETURN(*request.mutable_plan(), rollout::ReadPlan(yaml, arguments.plan));
  request.set_fleet(arguments.fleet);
  request.set_unit(arguments.unit);
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::RolloutState state;
  RETURN_IF_ERROR(FromRemote(stub->StartRollout(&context, request, &state), session));
  std::printf("rollout %s: %s@%s to fleet %s, %d waves\n", state.id().c_str(),
              state.unit_name().c_str(), state.unit_version().c_str(), state.fleet().c_str(),
              state.plan().waves_size());
  if (!arguments.watch) return ExitCode::kOk;
  return Watch(*stub, state.id(), arguments.timeout_s, session);
}

absl::StatusOr<ExitCode> Status(const v1::GetRolloutRequest& request, bool watch,
                                const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  ASSIGN_OR_RETURN(const v1::RolloutView view, Fetch(*stub, request, session));
  if (watch) return Watch(*stub, view.state().id(), StartArguments{}.timeout_s, session);
  if (session.json()) {
    PrintJson(view);
  } else {
    std::fputs(RolloutText(view).c_str(), stdout);
  }
  const v1::RolloutPhase phase = view.state().phase();
  if (phase == v1::DONE) return ExitCode::kOk;
  return HasEnded(phase) ? ExitCode::kRolloutAborted : ExitCode::kWaitRanOut;
}

absl::StatusOr<ExitCode> Abort(const v1::AbortRolloutRequest& request, const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::RolloutState state;
  RETURN_IF_ERROR(FromRemote(stub->AbortRollout(&context, request, &state), session));
  std::printf(
      "rollout %s: %s; every robot it touched returns to what it ran before\n"
      "robots that committed the unit in an earlier rollout keep it: gatekeeper rollback %s\n",
      state.id().c_str(), PhaseName(state.phase()).c_str(), state.fleet().c_str());
  return ExitCode::kOk;
}

int Finish(const absl::StatusOr<ExitCode>& result) {
  return result.ok() ? static_cast<int>(*result) : Report(result.status());
}

}  // namespace

void AddRolloutVerbs(CLI::App& app, Session& session) {
  CLI::App* rollout = app.add_subcommand("rollout", "bring a sealed unit to a fleet, wave by wave");
  rollout->require_subcommand(1);
  rollout->fallthrough();
  auto start_arguments = std::make_shared<StartArguments>();
  CLI::App* start = rollout->add_subcommand("start", "start a rollout");
  start->add_option("UNIT", start_arguments->unit, "name@version or digest prefix")->required();
  start->add_option("--fleet", start_arguments->fleet)->required();
  start->add_option("--plan", start_arguments->plan, "rollout_plan/1 YAML file")->required();
  start->add_flag("--watch", start_arguments->watch, "stay until it has ended; exit 0 or 7");
  start->add_option("--timeout", start_arguments->timeout_s, "seconds to watch at most")
      ->check(CLI::PositiveNumber);
  start->callback([start_arguments, &session] {
    session.exit_code = Finish(Start(*start_arguments, session));
  });

  auto request = std::make_shared<v1::GetRolloutRequest>();
  auto watch = std::make_shared<bool>(false);
  CLI::App* status = rollout->add_subcommand(
      "status", "exit 0 when promoted, 7 when aborted, 8 while it is under way");
  status->add_option("--id", *request->mutable_id());
  status->add_option("--fleet", *request->mutable_fleet(), "its newest rollout");
  status->add_flag("--watch", *watch, "stay until it has ended");
  status->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  status->callback([request, watch, &session] {
    session.exit_code = Finish(Status(*request, *watch, session));
  });

  auto abort_request = std::make_shared<v1::AbortRolloutRequest>();
  CLI::App* abort = rollout->add_subcommand("abort", "end a rollout; its robots return");
  abort->add_option("ID", *abort_request->mutable_id())->required();
  abort->add_option("--reason", *abort_request->mutable_reason())->required();
  abort->callback(
      [abort_request, &session] { session.exit_code = Finish(Abort(*abort_request, session)); });
}

}  // namespace gatekeeper::cli
