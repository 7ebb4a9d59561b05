#include <cstdio>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/manifest.h"
#include "agent/trust/unit.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/push_unit.h"
#include "gatekeeper/cli/table.h"
#include "gatekeeper/cli/verbs.h"

namespace gatekeeper::cli {
namespace {

constexpr size_t kMaxTrust = 64 * 1024;

struct BuildArguments {
  std::string repository = ".";
  bundle::BuildRequest request{.commit = "HEAD", .spec_path = "release.yaml", .out_folder = ""};
};

constexpr char kNoGolden[] =
    "no golden answers: robots check that the model runs, not what it says (see: gatekeeper unit "
    "golden)";

bool HasGolden(const bundle::UngatedUnit& unit) {
  return agent::trust::HasFile(unit.manifest(), agent::trust::kGoldenFile);
}

absl::Status Build(const BuildArguments& arguments) {
  ASSIGN_OR_RETURN(const source::Repository repository,
                   source::Repository::Open(arguments.repository));
  ASSIGN_OR_RETURN(const bundle::UngatedUnit unit,
                   bundle::BuildUnit(repository, arguments.request));
  std::printf("%s  sha256:%s\n  from commit %s, %s\n  in %s\n", unit.label().c_str(),
              unit.digest().hex().c_str(), unit.manifest().commit().c_str(),
              arguments.request.spec_path.c_str(), unit.folder().c_str());
  if (!HasGolden(unit)) std::printf("  %s\n", kNoGolden);
  ASSIGN_OR_RETURN(const bundle::CommittedSpec spec,
                   bundle::ReadSpec(repository, arguments.request));
  if (spec.document.site().empty()) {
    std::printf("  warning: %s; name it (site: FILE in %s)\n", bundle::kNoSite,
                arguments.request.spec_path.c_str());
  }
  return absl::OkStatus();
}

absl::Status Inspect(const std::string& folder, const Session& session) {
  ASSIGN_OR_RETURN(const bundle::UngatedUnit unit, bundle::UngatedUnit::Open(folder));
  if (session.json()) {
    PrintJson(unit.manifest());
    return absl::OkStatus();
  }
  std::printf("%s  sha256:%s\nhardware  %s\ncommit    %s  %s\n", unit.label().c_str(),
              unit.digest().hex().c_str(), absl::StrJoin(unit.manifest().hardware(), ", ").c_str(),
              unit.manifest().commit().c_str(), unit.manifest().spec_path().c_str());
  if (!unit.manifest().safety_case().empty())
    std::printf("safety case  %s\n", unit.manifest().safety_case().c_str());
  Table table({"FILE", "BYTES", "SHA256"});
  for (const v1::UnitFile& file : unit.manifest().files()) {
    table.Add({file.path(), absl::StrFormat("%d", file.size()), file.sha256()});
  }
  std::fputs(table.Text().c_str(), stdout);
  if (!HasGolden(unit)) std::printf("%s\n", kNoGolden);
  ASSIGN_OR_RETURN(const auto findings, bundle::CheckRules(unit));
  for (const auto& finding : findings) std::printf("%s\n", bundle::ToString(finding).c_str());
  std::printf(
      "static checks: %d finding%s\nsealed: %s\n", static_cast<int>(findings.size()),
      findings.size() == 1 ? "" : "s",
      agent::base::OsFiles().Exists(folder + "/seal") ? "yes (see: gatekeeper unit verify)" : "no");
  return absl::OkStatus();
}

absl::Status Verify(const std::string& folder, const std::string& trust_file) {
  ASSIGN_OR_RETURN(const std::string bytes, agent::base::OsFiles().Read(trust_file, kMaxTrust));
  ASSIGN_OR_RETURN(const auto trust, agent::trust::TrustPolicy::Parse(bytes));
  ASSIGN_OR_RETURN(const auto unit, agent::trust::VerifyUnit(folder, trust));
  std::printf(
      "%s@%s  sha256:%s\n  every byte matches its manifest; unit signature and gate verdict "
      "(%s by %s) hold\n",
      unit.manifest().name().c_str(), unit.manifest().version().c_str(),
      unit.digest().hex().c_str(), trust.level().c_str(), trust.verifier_id().c_str());
  return absl::OkStatus();
}

absl::Status Push(const std::string& folder, const Session& session) {
  ASSIGN_OR_RETURN(const v1::PushUnitReply reply, PushUnit(folder, session));
  std::printf("%s@%s  sha256:%s  %s\n", reply.name().c_str(), reply.version().c_str(),
              reply.digest().c_str(), reply.already_there() ? "was there already" : "pushed");
  return absl::OkStatus();
}

absl::Status List(const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::UnitList units;
  RETURN_IF_ERROR(FromRemote(stub->ListUnits(&context, {}, &units), session));
  if (session.json()) {
    PrintJson(units);
    return absl::OkStatus();
  }
  Table table({"UNIT", "DIGEST", "HELD"});
  for (const v1::UnitView& unit : units.units()) {
    table.Add({unit.name() + "@" + unit.version(), unit.digest().substr(0, 12),
               unit.held_reason().empty() ? "-" : unit.held_reason()});
  }
  std::fputs(table.Text().c_str(), stdout);
  return absl::OkStatus();
}

absl::Status Release(const std::string& unit, const std::string& reason, const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::ReleaseUnitRequest request;
  request.set_unit(unit);
  request.set_reason(reason);
  v1::Empty reply;
  RETURN_IF_ERROR(FromRemote(stub->ReleaseUnit(&context, request, &reply), session));
  std::printf("%s may be rolled out again\n", unit.c_str());
  return absl::OkStatus();
}

void AddLocalVerbs(CLI::App& unit, Session& session) {
  auto build_arguments = std::make_shared<BuildArguments>();
  CLI::App* build = unit.add_subcommand("build", "build a unit from a commit of a git repository");
  build->add_option("--repo", build_arguments->repository)->capture_default_str();
  build->add_option("--commit", build_arguments->request.commit)->capture_default_str();
  build->add_option("--spec", build_arguments->request.spec_path, "from the repository's root")
      ->capture_default_str();
  build->add_option("--out", build_arguments->request.out_folder, "new folder for the unit")
      ->required();
  build->callback(
      [build_arguments, &session] { session.exit_code = Report(Build(*build_arguments)); });

  auto folder = std::make_shared<std::string>();
  auto trust = std::make_shared<std::string>();
  CLI::App* inspect = unit.add_subcommand("inspect", "what a unit is made of; its static checks");
  inspect->add_option("UNIT", *folder, "unit folder")->required();
  inspect->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  inspect->callback([folder, &session] { session.exit_code = Report(Inspect(*folder, session)); });

  CLI::App* verify = unit.add_subcommand("verify", "check a sealed unit as a robot would, offline");
  verify->add_option("UNIT", *folder, "unit folder")->required();
  verify->add_option("--trust", *trust, "trust.json; default: the home's");
  verify->callback([folder, trust, &session] {
    session.exit_code =
        Report(Verify(*folder, trust->empty() ? session.home + "/trust.json" : *trust));
  });
}

void AddRemoteVerbs(CLI::App& unit, Session& session) {
  auto name = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  CLI::App* push = unit.add_subcommand("push", "give a sealed unit to the server");
  push->add_option("UNIT", *name, "unit folder")->required();
  push->callback([name, &session] { session.exit_code = Report(Push(*name, session)); });

  CLI::App* list = unit.add_subcommand("list", "units the server holds");
  list->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  list->callback([&session] { session.exit_code = Report(List(session)); });

  CLI::App* release = unit.add_subcommand("release", "lift the hold that a rollback put on a unit");
  release->add_option("UNIT", *name, "name@version or digest prefix")->required();
  release->add_option("--reason", *reason)->required();
  release->callback(
      [name, reason, &session] { session.exit_code = Report(Release(*name, *reason, session)); });
}

}  // namespace

void AddUnitVerbs(CLI::App& app, Session& session) {
  CLI::App* unit = app.add_subcommand("unit", "release units: model + policy + fallback rules");
  unit->require_subcommand(1);
  unit->fallthrough();
  AddLocalVerbs(*unit, session);
  AddComparisonVerbs(*unit, session);
  AddGoldenVerb(*unit, session);
  AddRemoteVerbs(*unit, session);
}

}  // namespace gatekeeper::cli
