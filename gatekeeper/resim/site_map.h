#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/runtime/geometry.h"

namespace gatekeeper::resim {

// 36 MB of cells: a site of 150 m x 150 m in cells of 5 cm. Larger ones are refused.
inline constexpr size_t kMaxCells = 9'000'000;

enum class MapCell : uint8_t { kUnknown, kFree, kOccupied };

// A site as somebody drew or mapped it before: square cells, row by row from the corner with the
// smallest x and y.
struct SiteMap {
  double cell_m = 0;
  agent::runtime::Vec2 corner;
  uint32_t columns = 0;
  uint32_t rows = 0;
  std::vector<MapCell> cells;
};

// What map_server's YAML file says of the image beside it
// (https://wiki.ros.org/map_server#Map_format).
struct MapDescription {
  enum class Mode { kTrinary, kScale, kRaw };
  std::string file;   // of the YAML
  std::string image;  // path relative to it
  double cell_m = 0;
  agent::runtime::Vec2 corner;
  bool negate = false;
  double occupied_thresh = 0;
  double free_thresh = 0;
  Mode mode = Mode::kTrinary;
};

inline constexpr size_t kMaxMapYaml = 64 * 1024;
inline constexpr size_t kMaxMapImage = kMaxCells + 64 * 1024;

// kInvalidArgument names the file and what is wrong or missing. An origin that is turned is
// refused: map_server's users ignore it, each in another way.
absl::StatusOr<MapDescription> ReadMapDescription(std::string_view yaml, const std::string& file);

// Cells as map_server would publish them; what it publishes between free and occupied (mode scale)
// is unknown here. In mode raw a pixel is the cell's value in percent, and the thresholds decide.
// kInvalidArgument and kResourceExhausted as ReadPgm.
absl::StatusOr<SiteMap> ReadMapImage(const MapDescription& description, std::string_view pgm,
                                     const std::string& file);

// The same as map_saver writes it in mode trinary, with thresholds under which each of the three
// colours means what it says.
struct MapFiles {
  std::string yaml;
  std::string pgm;
};
MapFiles WriteMap(const SiteMap& map, const std::string& image_name);

}  // namespace gatekeeper::resim
