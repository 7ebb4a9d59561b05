#include "gatekeeper/resim/site_map.h"
#include "tests/fuzz/target.h"

// map_server's two files, one behind the other with a NUL between: what a team has from elsewhere.

// A cell is one byte of the image; YAML is held as a tree of small nodes.
const fuzz::Allowance fuzz::kAllowance{.base_bytes = 262'144, .per_input_byte = 2'048};

namespace {

constexpr char kYaml[] =
    "image: hall.pgm\nresolution: 0.05\norigin: [-1.5, 2.0, 0.0]\nnegate: 0\n"
    "occupied_thresh: 0.65\nfree_thresh: 0.196\n";

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  const std::string nul(1, '\0');
  const std::string pixels("\xfe\xcd\x00\xfe\x32\xff", 6);
  return {kYaml + nul + "P5\n# CREATOR: map_saver.cpp 0.050 m/pix\n3 2\n255\n" + pixels,
          std::string(kYaml) + "mode: scale\n" + nul + "P5 2 3 255 " + pixels,
          std::string(kYaml) + "mode: raw\n" + nul + "P5\t6\r1#x\n100\n" + pixels,
          "{image: a/b.pgm, resolution: 1, origin: [0, 0, 0], negate: true, occupied_thresh: 0.9, "
          "free_thresh: 0.1}" +
              nul + "P5 999999999 999999999 255\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace resim = gatekeeper::resim;
  const std::string_view all = fuzz::Text(data, size);
  const size_t nul = all.find('\0');
  const auto description = resim::ReadMapDescription(all.substr(0, nul), "map.yaml");
  if (!description.ok()) {
    fuzz::Check(description.status().message().substr(0, 8) == "map.yaml",
                "an error without place");
    if (nul == std::string_view::npos) return 0;
  }
  const resim::MapDescription usual{.file = "map.yaml",
                                    .image = "map.pgm",
                                    .cell_m = 0.05,
                                    .corner = {},
                                    .negate = false,
                                    .occupied_thresh = 0.65,
                                    .free_thresh = 0.196,
                                    .mode = resim::MapDescription::Mode::kTrinary};
  const std::string_view image = nul == std::string_view::npos ? "" : all.substr(nul + 1);
  const auto map = resim::ReadMapImage(description.ok() ? *description : usual, image, "map.pgm");
  if (!map.ok()) {
    fuzz::Check(map.status().message().substr(0, 8) == "map.pgm:", "an error without its place");
    return 0;
  }
  fuzz::Check(map->cells.size() == size_t{map->columns} * map->rows, "cells that do not add up");
  fuzz::Check(map->cells.size() <= image.size(), "more cells than bytes");
  const resim::MapFiles files = resim::WriteMap(*map, "again.pgm");
  const auto again_description = resim::ReadMapDescription(files.yaml, "again.yaml");
  fuzz::Check(again_description.ok(), "what was read cannot be written");
  const auto again = resim::ReadMapImage(*again_description, files.pgm, "again.pgm");
  fuzz::Check(again.ok() && again->cells == map->cells, "a written map is another");
  fuzz::Check(again->cell_m == map->cell_m && again->corner.x == map->corner.x &&
                  again->corner.y == map->corner.y,
              "a written map lies elsewhere");
  return 0;
}
