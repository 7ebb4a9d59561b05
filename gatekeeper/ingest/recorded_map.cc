#include "gatekeeper/ingest/recorded_map.h"

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/nearest_name.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/field_plan.h"

namespace gatekeeper::ingest {
namespace {

constexpr int8_t kOccupied = 65;
constexpr int8_t kFree = 19;
constexpr double kNoTurn = 1e-6;  // of the quaternion's x, y and z

const std::vector<std::string>& Paths() {
  static const auto& paths = *new std::vector<std::string>{"info.width",
                                                           "info.height",
                                                           "info.resolution",
                                                           "info.origin.position.x",
                                                           "info.origin.position.y",
                                                           "info.origin.orientation.x",
                                                           "info.origin.orientation.y",
                                                           "info.origin.orientation.z",
                                                           "data"};
  return paths;
}

resim::MapCell CellOf(char value) {
  const auto percent = static_cast<int8_t>(value);
  if (percent < 0 || percent > 100) return resim::MapCell::kUnknown;
  if (percent >= kOccupied) return resim::MapCell::kOccupied;
  return percent <= kFree ? resim::MapCell::kFree : resim::MapCell::kUnknown;
}

absl::StatusOr<resim::SiteMap> MapOf(const std::vector<FieldValue>& values) {
  resim::SiteMap map;
  map.columns = static_cast<uint32_t>(values[0].integer);
  map.rows = static_cast<uint32_t>(values[1].integer);
  map.cell_m = values[2].number;
  map.corner = {values[3].number, values[4].number};
  const std::string_view cells = values[8].text;
  if (uint64_t{map.columns} * map.rows != cells.size() || cells.empty()) {
    return absl::DataLossError(
        absl::StrFormat("a map of %d x %d with %d cells", map.columns, map.rows, cells.size()));
  }
  if (cells.size() > resim::kMaxCells) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("a map of %d cells; at most %d are read", cells.size(), resim::kMaxCells));
  }
  if (!(map.cell_m > 0) || !std::isfinite(map.cell_m) || !std::isfinite(map.corner.x) ||
      !std::isfinite(map.corner.y)) {
    return absl::DataLossError("a map whose cells have no size or place");
  }
  for (size_t i = 5; i < 8; ++i) {
    if (!(std::abs(values[i].number) <= kNoTurn))
      return absl::InvalidArgumentError("its origin is turned; only upright maps are read");
  }
  map.cells.reserve(cells.size());
  for (const char cell : cells) map.cells.push_back(CellOf(cell));
  return map;
}

}  // namespace

absl::StatusOr<resim::SiteMap> ReadRecordedMap(const RecordingFile& file,
                                               const std::string& topic) {
  std::map<uint32_t, std::unique_ptr<FieldPlan>> plans;  // by topic id
  std::vector<std::string> known;
  for (const Topic& candidate : file.topics()) {
    known.push_back(candidate.name);
    if (candidate.name != topic) continue;
    if (candidate.type != "nav_msgs/OccupancyGrid" &&
        candidate.type != "nav_msgs/msg/OccupancyGrid") {
      return absl::InvalidArgumentError(absl::StrFormat(
          "topic %s is %s; a map is nav_msgs/OccupancyGrid", topic, candidate.type));
    }
    ASSIGN_OR_RETURN(plans[candidate.id], CompilePlan(candidate, Paths()));
  }
  if (plans.empty()) {
    const std::string nearest = agent::base::NearestName(topic, known);
    return absl::InvalidArgumentError(
        absl::StrFormat("the recording has no topic '%s'%s", topic,
                        nearest.empty() ? "; `gatekeeper scenario info` lists them"
                                        : absl::StrFormat("; did you mean '%s'?", nearest)));
  }
  std::optional<absl::StatusOr<resim::SiteMap>> last;
  std::vector<FieldValue> values;
  RETURN_IF_ERROR(file.ForEachMessage(
      {.topics = {topic}}, [&](const Topic& from, const RawMessage& message) -> absl::Status {
        RETURN_IF_ERROR(plans[from.id]->Read(message.data, values));
        last = MapOf(values);
        return absl::OkStatus();
      }));
  if (!last) return absl::NotFoundError(absl::StrFormat("topic %s has no message", topic));
  if (last->ok()) return *std::move(last);
  return absl::Status(
      last->status().code(),
      absl::StrFormat("topic %s: %s", topic, std::string(last->status().message())));
}

}  // namespace gatekeeper::ingest
