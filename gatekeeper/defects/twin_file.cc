#include "gatekeeper/defects/twin_file.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::defects {

absl::Status WriteTwinFile(const std::string& path, std::string_view bytes) {
  RETURN_IF_ERROR(
      agent::base::OsFiles().MakeFolders(std::filesystem::path(path).parent_path().string()));
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (file) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrFormat("%s: %d bytes cannot be written; is the disk full?", path, bytes.size()));
}

}  // namespace gatekeeper::defects
