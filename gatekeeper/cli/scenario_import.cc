#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/trust/hash.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/ingest/channel_import.h"
#include "proto/ingest.pb.h"

namespace gatekeeper::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostMapBytes = 1 << 20;

struct ImportArguments {
  std::string file;
  std::string map;
  std::string to;
  std::vector<std::string> tags = {"imported"};
};

// As scenario ids and tags are written.
absl::Status CheckName(const std::string& name) {
  constexpr char kAllowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (!name.empty() && name.find_first_not_of(kAllowed) == name.npos) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "'%s' must be made of letters, digits, '.', '_' and '-': it becomes part of a scenario",
      name));
}

// The whole recording as one segment, for `scenario label` to divide.
absl::StatusOr<std::string> ScenarioText(const ImportArguments& request,
                                         const ingest::Imported& imported) {
  ASSIGN_OR_RETURN(const agent::base::Digest digest, agent::trust::Sha256File(request.to));
  // A segment ends before its last second: up to the next millisecond behind the last message.
  const double length_s =
      (std::floor(static_cast<double>(imported.last_ns - imported.first_ns) * 1e-6) + 1) * 1e-3;
  return absl::StrFormat(
      "schema: scenario/1\n"
      "id: %s\n"
      "recording: %s\n"
      "sha256: %s\n"
      "segments:\n"
      "  - {from_s: 0, to_s: %.3f, tags: [%s]}\n",
      fs::path(request.to).stem().string(), fs::path(request.to).filename().string(), digest.hex(),
      length_s, absl::StrJoin(request.tags, ", "));
}

absl::Status Import(const ImportArguments& request) {
  agent::base::OsFiles files;
  ASSIGN_OR_RETURN(const std::string text, files.Read(request.map, kMostMapBytes));
  v1::ImportMap map;
  RETURN_IF_ERROR(agent::base::ReadYaml(text, request.map, "import/1", map).status());
  if (fs::path(request.to).extension() != ".mcap") {
    return absl::InvalidArgumentError("--to must end in .mcap: " + request.to);
  }
  RETURN_IF_ERROR(CheckName(fs::path(request.to).stem().string()));
  for (const std::string& tag : request.tags) RETURN_IF_ERROR(CheckName(tag));
  ASSIGN_OR_RETURN(const auto file, ingest::OpenRecording(request.file));
  const std::string folder = fs::path(request.to).parent_path().string();
  if (!folder.empty()) RETURN_IF_ERROR(files.MakeFolders(folder));
  ASSIGN_OR_RETURN(const ingest::Imported imported,
                   ingest::ImportRecording(*file, map, request.to));
  ASSIGN_OR_RETURN(const std::string scenario, ScenarioText(request, imported));
  const std::string beside = fs::path(request.to).replace_extension(".yaml").string();
  RETURN_IF_ERROR(files.WriteDurably(beside, scenario, 0644));
  for (const auto& [channel, count] : imported.channels) {
    std::printf("%-24s %8llu\n", channel.c_str(), static_cast<unsigned long long>(count));
  }
  if (imported.left_out > 0) {
    std::printf("%llu messages had no value and were left out\n",
                static_cast<unsigned long long>(imported.left_out));
  }
  std::printf("wrote %s and %s\n", request.to.c_str(), beside.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddScenarioImport(CLI::App& scenario, Session& session) {
  auto request = std::make_shared<ImportArguments>();
  CLI::App* import = scenario.add_subcommand(
      "import", "make a scenario of any recording: an MCAP file that gates replay, and its YAML");
  import
      ->add_option("FILE", request->file,
                   "MCAP, rosbag2 (.db3 or its folder), ULog, or one of these in .zstd")
      ->required();
  import->add_option("--map", request->map, "import/1 YAML: which topic is which robot channel")
      ->required();
  import->add_option("--to", request->to, "the recording to write; its scenario goes beside it")
      ->required();
  import->add_option("--tag", request->tags, "tag of the scenario's only segment (repeatable)")
      ->capture_default_str();
  import->callback([request, &session] { session.exit_code = Report(Import(*request));
});
}  // namespace gatekeeper::cli

}  // namespace gatekeeper::cli
