#include <cstdio>

#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/table.h"
#include "gatekeeper/cli/verbs.h"

namespace gatekeeper::cli {
namespace {

struct RollbackArguments {
  v1::RollbackRequest request;
  uint32_t wait_s = 30;
};

void PrintReceipt(const v1::RollbackReceipt& receipt) {
  std::printf("%-14s %-12s %-16s %-12s %6.2f s  %s\n", receipt.robot().c_str(),
              receipt.outcome().c_str(), receipt.unit().c_str(),
              receipt.running_digest().substr(0, 12).c_str(), receipt.seconds(),
              receipt.detail().c_str());
  std::fflush(stdout);
}

absl::StatusOr<ExitCode> Rollback(RollbackArguments arguments, const Session& session) {
  arguments.request.set_wait_ms(arguments.wait_s * 1000);
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  const auto stream = stub->Rollback(&context, arguments.request);
  v1::RollbackReceipt receipt;
  bool complete = false;
  while (stream->Read(&receipt)) {
    if (receipt.summary().empty()) {
      PrintReceipt(receipt);
      continue;
    }
    complete = receipt.complete();
    std::printf("%s\nincident %s is drafted: gatekeeper incident show %s\n",
                receipt.summary().c_str(), receipt.incident().c_str(), receipt.incident().c_str());
  }
  RETURN_IF_ERROR(FromRemote(stream->Finish(), session));
  return complete ? ExitCode::kOk : ExitCode::kPartial;
}

}  // namespace

void AddRollbackVerb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<RollbackArguments>();
  CLI::App* rollback = app.add_subcommand(
      "rollback", "return a fleet to last-good now; works in every state, needs no download");
  rollback->add_option("FLEET", *arguments->request.mutable_fleet())->required();
  rollback->add_option("--reason", *arguments->request.mutable_reason())->required();
  rollback->add_option("--to", *arguments->request.mutable_to_unit(),
                       "name@version every robot shall run; default: each one's last-good");
  rollback->add_option("--wait", arguments->wait_s, "seconds to wait for receipts")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  rollback->callback([arguments, &session] {
    const auto result = Rollback(*arguments, session);
    session.exit_code = result.ok() ? static_cast<int>(*result) : Report(result.status());
  });
}

}  // namespace gatekeeper::cli
