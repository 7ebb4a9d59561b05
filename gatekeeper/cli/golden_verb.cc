#include <cstdio>
#include <filesystem>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/golden_answers.h"
#include "proto/unit.pb.h"

namespace gatekeeper::cli {
namespace {

constexpr size_t kMaxDocument = 1 << 20;
constexpr size_t kMaxModel = size_t{512} << 20;
constexpr int kFileMode = 0644;

// A release spec in the work tree names what is asked and where the answers go; commit both.
absl::Status Golden(const std::string& spec_file, gates::GoldenOrder order) {
  const agent::base::OsFiles files;
  v1::ReleaseSpec spec;
  ASSIGN_OR_RETURN(const std::string text, files.Read(spec_file, kMaxDocument));
  ASSIGN_OR_RETURN(const auto map, agent::base::ReadYaml(text, spec_file, "release/1", spec));
  if (spec.golden().empty()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: golden is missing: name the file that the answers shall be written to", spec_file));
  }
  const auto beside = [&spec_file](const std::string& name) {
    return (std::filesystem::path(spec_file).parent_path() / name).string();
  };
  order.card_name = beside(spec.model_card());
  order.policy_name = beside(spec.control_policy());
  ASSIGN_OR_RETURN(order.card_yaml, files.Read(order.card_name, kMaxDocument));
  ASSIGN_OR_RETURN(order.policy_yaml, files.Read(order.policy_name, kMaxDocument));
  ASSIGN_OR_RETURN(order.model, files.Read(beside(spec.model()), kMaxModel));
  ASSIGN_OR_RETURN(const std::string golden, gates::MakeGolden(order));
  const std::string out = beside(spec.golden());
  RETURN_IF_ERROR(agent::base::OsFiles().WriteDurably(out, golden, kFileMode));
  std::printf("%d bytes of golden answers of %s\n  in %s\n", static_cast<int>(golden.size()),
              spec.model().c_str(), out.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddGoldenVerb(CLI::App& unit, Session& session) {
  auto order = std::make_shared<gates::GoldenOrder>();
  auto spec = std::make_shared<std::string>();
  CLI::App* golden =
      unit.add_subcommand("golden", "write what a model answers: every robot must get the same");
  golden->add_option("SPEC", *spec, "release spec in the work tree; its `golden` is written")
      ->required();
  golden->add_option("--cases", order->cases, "inputs asked: zeros, ones, then random ones")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  golden->add_option("--seed", order->seed, "of the random ones")->capture_default_str();
  golden->add_option("--library", order->library_path, "ONNX Runtime; default: the built-in one");
  golden->callback([order, spec, &session] { session.exit_code = Report(Golden(*spec, *order)); });
}

}  // namespace gatekeeper::cli
