#include <cstdio>
#include <memory>

#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/recording_view.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/ingest/recording_file.h"
#include "gatekeeper/ingest/topic_survey.h"

namespace gatekeeper::cli {
namespace {

absl::Status Info(const std::string& path, bool json) {
  ASSIGN_OR_RETURN(const auto file, ingest::OpenRecording(path));
  ASSIGN_OR_RETURN(const auto surveys, ingest::SurveyTopics(*file));
  const std::string text = json ? RecordingJson(*file, surveys) : RecordingText(*file, surveys);
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddScenarioInfo(CLI::App& scenario, Session& session) {
  auto path = std::make_shared<std::string>();
  CLI::App* info = scenario.add_subcommand(
      "info", "what a recording holds: topics, counts, gaps, ages, clocks, damage");
  info->add_option("FILE", *path, "MCAP, rosbag2 (.db3, or a folder with metadata.yaml), ULog")
      ->required();
  info->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  info->callback([path, &session] { session.exit_code = Report(Info(*path, session.json())); });
}

}  // namespace gatekeeper::cli
