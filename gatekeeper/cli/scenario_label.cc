#include <cmath>
#include <cstdio>
#include <memory>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/scenario_segments.h"
#include "gatekeeper/cli/table.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/scenario_file.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::cli {
namespace {

struct LabelArguments {
  std::string file;
  std::string recordings;
  Label label;
  bool remove = false;
};

absl::Status CheckTags(const std::vector<std::string>& tags) {
  for (const std::string& tag : tags) {
    if (gates::PlainName(tag)) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "tag '%s' must be made of letters, digits, '.', '_' and '-', a letter, digit or '_' first",
        tag));
  }
  return absl::OkStatus();
}

absl::Status CheckRange(const Label& label, double length_s, const std::string& recording) {
  const bool sane = std::isfinite(label.from_s) && std::isfinite(label.to_s) && label.from_s >= 0 &&
                    label.from_s < label.to_s;
  if (!sane) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a segment needs 0 <= --from < --to, found %s to %s",
                        gates::SecondsText(label.from_s), gates::SecondsText(label.to_s)));
  }
  if (label.to_s <= length_s) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat("--to %s lies behind the end of %s, at %.3f s",
                                                    gates::SecondsText(label.to_s), recording,
                                                    length_s));
}

void Print(const std::vector<v1::Segment>& segments, bool json) {
  if (!json) {
    Table table({"FROM_S", "TO_S", "TAGS"});
    for (const v1::Segment& segment : segments) {
      table.Add({gates::SecondsText(segment.from_s()), gates::SecondsText(segment.to_s()),
                 absl::StrJoin(segment.tags(), ", ")});
    }
    std::fputs(table.Text().c_str(), stdout);
    return;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const v1::Segment& segment : segments) {
    list.push_back(
        {{"from_s", segment.from_s()},
         {"to_s", segment.to_s()},
         {"tags", std::vector<std::string>(segment.tags().begin(), segment.tags().end())}});
  }
  std::printf("%s\n", list.dump(2).c_str());
}

absl::Status LabelScenario(const LabelArguments& request, bool json) {
  RETURN_IF_ERROR(CheckTags(request.label.tags));
  agent::base::OsFiles files;
  ASSIGN_OR_RETURN(const std::string text, files.Read(request.file, gates::kMaxScenarioBytes));
  ASSIGN_OR_RETURN(const gates::Scenario scenario,
                   gates::ReadScenario(request.file, request.recordings));
  ASSIGN_OR_RETURN(const double length_s, gates::LengthOf(scenario));
  RETURN_IF_ERROR(CheckRange(request.label, length_s, scenario.recording));
  ASSIGN_OR_RETURN(const std::vector<v1::Segment> segments,
                   request.remove ? WithoutLabel(scenario.document, request.label)
                                  : WithLabel(scenario.document, request.label));
  ASSIGN_OR_RETURN(const std::string labelled, WithSegments(text, request.file, segments));
  RETURN_IF_ERROR(files.WriteDurably(request.file, labelled, 0644));
  Print(segments, json);
  return absl::OkStatus();
}

}  // namespace

void AddScenarioLabel(CLI::App& scenario, Session& session) {
  auto request = std::make_shared<LabelArguments>();
  CLI::App* label =
      scenario.add_subcommand("label", "say what a stretch of a scenario is: a segment with tags");
  label->add_option("SCENARIO", request->file, "scenario/1 YAML file, which is changed in place")
      ->required();
  label->add_option("--from", request->label.from_s, "seconds since the recording's first message")
      ->required();
  label->add_option("--to", request->label.to_s, "where it ends, not included")->required();
  label->add_option("--tag", request->label.tags, "tag of that stretch (may be given again)")
      ->required();
  label->add_flag("--remove", request->remove, "take the tags away from the range instead");
  label
      ->add_option("--recordings", request->recordings,
                   "folder of recordings for a scenario that names only a digest")
      ->check(CLI::ExistingDirectory);
  label->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  label->callback(
      [request, &session] { session.exit_code = Report(LabelScenario(*request, session.json())); });
}

}  // namespace gatekeeper::cli
