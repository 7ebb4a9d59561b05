#include <cstdio>
#include <filesystem>
#include <memory>

#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/scenario_file.h"
#include "gatekeeper/ingest/recorded_map.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::cli {
namespace {

namespace fs = std::filesystem;

struct MapArguments {
  std::string file;
  std::string topic = "/map";
  std::string to;
};

absl::Status ExtractMap(const MapArguments& request, bool json) {
  const fs::path yaml(request.to);
  if (yaml.extension() != ".yaml")
    return absl::InvalidArgumentError("--to must end in .yaml: " + request.to);
  if (!gates::PlainName(yaml.stem().string())) {
    return absl::InvalidArgumentError(
        "the name in --to must be made of letters, digits, '.', '_' "
        "and '-': " +
        request.to);
  }
  ASSIGN_OR_RETURN(const auto file, ingest::OpenRecording(request.file));
  ASSIGN_OR_RETURN(const resim::SiteMap map, ingest::ReadRecordedMap(*file, request.topic));
  const fs::path image = fs::path(yaml).replace_extension(".pgm");
  const resim::MapFiles files = resim::WriteMap(map, image.filename().string());
  // What could not be read again is not written: cells of a size that no map has.
  RETURN_IF_ERROR(resim::ReadMapDescription(files.yaml, request.to).status());
  agent::base::OsFiles disk;
  const std::string folder = yaml.parent_path().string();
  if (!folder.empty()) RETURN_IF_ERROR(disk.MakeFolders(folder));
  RETURN_IF_ERROR(disk.WriteDurably(image.string(), files.pgm, 0644));
  RETURN_IF_ERROR(disk.WriteDurably(request.to, files.yaml, 0644));
  if (json) {
    const nlohmann::ordered_json told = {{"map", request.to},
                                         {"image", image.string()},
                                         {"columns", map.columns},
                                         {"rows", map.rows},
                                         {"cell_m", map.cell_m}};
    std::printf("%s\n", told.dump(2).c_str());
    return absl::OkStatus();
  }
  std::printf("wrote %s and %s: %u x %u cells of %.3f m\n", request.to.c_str(), image.c_str(),
              map.columns, map.rows, map.cell_m);
  return absl::OkStatus();
}

}  // namespace

void AddScenarioMap(CLI::App& scenario, Session& session) {
  auto request = std::make_shared<MapArguments>();
  CLI::App* map = scenario.add_subcommand(
      "map", "the map that a recording holds, as files that map_server and the gates read");
  map->add_option("FILE", request->file,
                  "MCAP, rosbag2 (.db3 or its folder), or one of these in .zstd")
      ->required();
  map->add_option("--topic", request->topic, "of type nav_msgs/OccupancyGrid")
      ->capture_default_str();
  map->add_option("--to", request->to, "the YAML to write; its image goes beside it")->required();
  map->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  map->callback(
      [request, &session] { session.exit_code = Report(ExtractMap(*request, session.json())); });
}

}  // namespace gatekeeper::cli
