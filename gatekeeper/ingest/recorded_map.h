#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/recording_file.h"
#include "gatekeeper/resim/site_map.h"

namespace gatekeeper::ingest {

// The last map that a recording holds on a topic of type nav_msgs/OccupancyGrid, of ROS 1 or 2:
// cells of 65 % and more are occupied, of 19 % and less free, as map_saver has it. kInvalidArgument
// names a topic that is not there or of another type, kNotFound one without a message, kDataLoss a
// message that contradicts itself; more than resim::kMaxCells are kResourceExhausted.
absl::StatusOr<resim::SiteMap> ReadRecordedMap(const RecordingFile& file, const std::string& topic);

}  // namespace gatekeeper::ingest
