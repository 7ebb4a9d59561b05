#include "gatekeeper/ingest/recording_file.h"

#include <filesystem>

#include "gatekeeper/ingest/open_container.h"
#include "gatekeeper/ingest/rosbag_folder.h"

namespace gatekeeper::ingest {

absl::StatusOr<std::unique_ptr<RecordingFile>> OpenRecording(const std::string& path) {
  std::error_code absent;
  if (std::filesystem::is_directory(path, absent)) return RosbagFolder::Open(path);
  return OpenContainer(path);
}

}  // namespace gatekeeper::ingest
