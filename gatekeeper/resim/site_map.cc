#include "gatekeeper/resim/site_map.h"

#include <array>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "agent/base/foreign_yaml.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/resim/pgm_image.h"

namespace gatekeeper::resim {
namespace {

constexpr double kLeastCell_m = 0.005;
constexpr double kMostCell_m = 1;
constexpr double kMostCorner_m = 1e5;
constexpr size_t kMostPath = 1024;

// map_saver's three greys.
constexpr char kWhite = static_cast<char>(254);
constexpr char kGrey = static_cast<char>(205);
constexpr char kBlack = 0;

// The keys of one description, each of which must be there.
class Keys {
 public:
  Keys(const nlohmann::json& root, const std::string& file) : root_(root), file_(file) {}

  absl::Status Wrong(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrFormat("%s: %s", file_, what));
  }

  absl::StatusOr<std::string> Text(const char* key) const {
    const auto found = root_.find(key);
    if (found == root_.end() || !found->is_string())
      return Wrong(absl::StrFormat("%s is missing; a map_server map has it", key));
    return found->get<std::string>();
  }

  // Both ends included.
  absl::StatusOr<double> Number(const char* key, double low, double high) const {
    ASSIGN_OR_RETURN(const std::string text, Text(key));
    double value = 0;
    if (absl::SimpleAtod(text, &value) && value >= low && value <= high) return value;
    return Wrong(absl::StrFormat("%s must be a number from %g to %g, found '%s'", key, low, high,
                                 text.substr(0, kShown)));
  }

  // x, y and the turn, which must be 0.
  absl::StatusOr<agent::runtime::Vec2> Origin() const {
    const auto found = root_.find("origin");
    std::array<double, 3> numbers{};
    bool good = found != root_.end() && found->is_array() && found->size() == numbers.size();
    for (size_t i = 0; good && i < numbers.size(); ++i) {
      const nlohmann::json& item = (*found)[i];
      good = item.is_string() && absl::SimpleAtod(item.get<std::string>(), &numbers[i]) &&
             std::abs(numbers[i]) <= kMostCorner_m;
    }
    if (!good) return Wrong("origin must be three numbers: x and y in metres, and a turn of 0");
    if (numbers[2] != 0) {
      return Wrong(absl::StrFormat("origin is turned by %g rad; turn the image instead and write 0",
                                   numbers[2]));
    }
    return agent::runtime::Vec2{numbers[0], numbers[1]};
  }

 private:
  static constexpr size_t kShown = 40;
  const nlohmann::json& root_;
  const std::string& file_;
};

absl::StatusOr<bool> Negate(const Keys& keys) {
  ASSIGN_OR_RETURN(const std::string text, keys.Text("negate"));
  if (text == "0" || text == "false") return false;
  if (text == "1" || text == "true") return true;
  return keys.Wrong("negate must be 0 or 1");
}

absl::StatusOr<MapDescription::Mode> ModeOf(const nlohmann::json& root, const Keys& keys) {
  if (!root.contains("mode")) return MapDescription::Mode::kTrinary;
  ASSIGN_OR_RETURN(const std::string text, keys.Text("mode"));
  if (text == "trinary") return MapDescription::Mode::kTrinary;
  if (text == "scale") return MapDescription::Mode::kScale;
  if (text == "raw") return MapDescription::Mode::kRaw;
  return keys.Wrong("mode must be trinary, scale or raw");
}

// Of a pixel: how surely something stands there, below 0: nobody knows.
double Occupancy(const MapDescription& description, uint8_t pixel, uint32_t most) {
  constexpr uint8_t kPercent = 100;
  if (description.mode == MapDescription::Mode::kRaw)
    return pixel <= kPercent ? static_cast<double>(pixel) / kPercent : -1;
  const double shade = static_cast<double>(pixel) / most;
  return description.negate ? shade : 1 - shade;
}

MapCell CellOf(const MapDescription& description, uint8_t pixel, uint32_t most) {
  const double occupancy = Occupancy(description, pixel, most);
  if (occupancy > description.occupied_thresh) return MapCell::kOccupied;
  if (occupancy >= 0 && occupancy < description.free_thresh) return MapCell::kFree;
  return MapCell::kUnknown;
}

}  // namespace

absl::StatusOr<MapDescription> ReadMapDescription(std::string_view yaml, const std::string& file) {
  if (yaml.size() > kMaxMapYaml) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: a map's YAML has at most %d bytes, this file %d", file, kMaxMapYaml, yaml.size()));
  }
  ASSIGN_OR_RETURN(const nlohmann::json root, agent::base::ReadForeignYaml(yaml, file));
  const Keys keys(root, file);
  if (!root.is_object()) return keys.Wrong("it is no map_server map: keys and values are wanted");
  MapDescription description;
  description.file = file;
  ASSIGN_OR_RETURN(description.image, keys.Text("image"));
  if (description.image.empty() || description.image.size() > kMostPath ||
      description.image.front() == '/' || description.image.find('\0') != std::string::npos) {
    return keys.Wrong("image must be a path relative to this file");
  }
  ASSIGN_OR_RETURN(description.cell_m, keys.Number("resolution", kLeastCell_m, kMostCell_m));
  ASSIGN_OR_RETURN(description.corner, keys.Origin());
  ASSIGN_OR_RETURN(description.negate, Negate(keys));
  ASSIGN_OR_RETURN(description.occupied_thresh, keys.Number("occupied_thresh", 0, 1));
  ASSIGN_OR_RETURN(description.free_thresh, keys.Number("free_thresh", 0, 1));
  // Otherwise there would be no walls, or no floor.
  if (!(description.free_thresh > 0 && description.free_thresh < description.occupied_thresh &&
        description.occupied_thresh < 1)) {
    return keys.Wrong("0 < free_thresh < occupied_thresh < 1 must hold");
  }
  ASSIGN_OR_RETURN(description.mode, ModeOf(root, keys));
  return description;
}

absl::StatusOr<SiteMap> ReadMapImage(const MapDescription& description, std::string_view pgm,
                                     const std::string& file) {
  ASSIGN_OR_RETURN(const PgmImage image, ReadPgm(pgm, file, kMaxCells));
  std::array<MapCell, 256> meaning{};
  for (size_t pixel = 0; pixel < meaning.size(); ++pixel)
    meaning[pixel] = CellOf(description, static_cast<uint8_t>(pixel), image.most);
  SiteMap map{.cell_m = description.cell_m,
              .corner = description.corner,
              .columns = image.columns,
              .rows = image.rows,
              .cells = {}};
  map.cells.reserve(image.pixels.size());
  for (size_t row = image.rows; row-- > 0;) {  // the image's last row lies at the corner
    for (const char pixel : image.pixels.substr(row * image.columns, image.columns))
      map.cells.push_back(meaning[static_cast<uint8_t>(pixel)]);
  }
  return map;
}

MapFiles WriteMap(const SiteMap& map, const std::string& image_name) {
  std::string pixels;
  pixels.reserve(map.cells.size());
  for (size_t row = map.rows; row-- > 0;) {
    for (size_t column = 0; column < map.columns; ++column) {
      const MapCell cell = map.cells[row * map.columns + column];
      pixels += cell == MapCell::kFree ? kWhite : cell == MapCell::kOccupied ? kBlack : kGrey;
    }
  }
  // free_thresh: grey is 1 - 205 / 255 = 0.19608, which map_saver's usual 0.25 would call free.
  return {
      .yaml = absl::StrFormat("image: %s\n"
                              "mode: trinary\n"
                              "resolution: %.17g\n"
                              "origin: [%.17g, %.17g, 0]\n"
                              "negate: 0\n"
                              "occupied_thresh: 0.65\n"
                              "free_thresh: 0.196\n",
                              image_name, map.cell_m, map.corner.x, map.corner.y),
      .pgm = WritePgm({.columns = map.columns, .rows = map.rows, .most = 255, .pixels = pixels})};
}

}  // namespace gatekeeper::resim
