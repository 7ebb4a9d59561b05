#include "gatekeeper/faults/corruption.h"

#include <algorithm>

#include "gatekeeper/faults/channel_fault.h"
#include "gatekeeper/faults/picture.h"
#include "gatekeeper/faults/range_scan.h"

namespace gatekeeper::faults {
namespace {

using PictureChange = void (*)(int severity, Draws& draws, v1::Image& image);
using ScanChange = void (*)(int severity, Draws& draws, v1::LaserScan& scan);

// What does not move with time (dirt, a mirror on a wall) is drawn anew from the same seed for
// every message; noise goes on where the last message left it.
template <PictureChange kChange>
std::unique_ptr<Transform> Moving(const Spec& spec) {
  return Changing(spec, [severity = spec.severity,
                         draws = Draws(spec.seed)](v1::Observation& observation) mutable {
    kChange(severity, draws, *observation.mutable_image());
  });
}
template <PictureChange kChange>
std::unique_ptr<Transform> Fixed(const Spec& spec) {
  return Changing(spec, [severity = spec.severity, seed = spec.seed](v1::Observation& observation) {
    Draws draws(seed);
    kChange(severity, draws, *observation.mutable_image());
  });
}
template <ScanChange kChange>
std::unique_ptr<Transform> MovingScan(const Spec& spec) {
  return Changing(spec, [severity = spec.severity,
                         draws = Draws(spec.seed)](v1::Observation& observation) mutable {
    kChange(severity, draws, *observation.mutable_scan());
  });
}
template <ScanChange kChange>
std::unique_ptr<Transform> FixedScan(const Spec& spec) {
  return Changing(spec, [severity = spec.severity, seed = spec.seed](v1::Observation& observation) {
    Draws draws(seed);
    kChange(severity, draws, *observation.mutable_scan());
  });
}

constexpr Corruption kCorruptions[] = {
    {"image_noise", "image", "noise of a dark scene", Moving<PixelNoise>},
    {"image_blur", "image", "out of focus", Fixed<Blur>},
    {"image_brightness", "image", "too bright", Fixed<Brighten>},
    {"image_contrast", "image", "fog", Fixed<Flatten>},
    {"image_jpeg", "image", "compressed too much", Fixed<Compress>},
    {"image_dirt", "image", "drops and dirt on the lens", Fixed<Soil>},
    {"image_flare", "image", "a lamp shines into the lens", Fixed<Flare>},
    {"image_shake", "image", "rows shifted by vibration under a rolling shutter", Moving<Shake>},
    {"scan_dropout", "scan", "beams without return", MovingScan<LoseBeams>},
    {"scan_dust", "scan", "returns from dust in the air", MovingScan<AddDust>},
    {"scan_mirror", "scan", "a mirror shows the room again behind the wall", FixedScan<Mirror>},
    {"scan_bias", "scan", "ranges too long by a constant", FixedScan<Lengthened>},
};

}  // namespace

std::span<const Corruption> Corruptions() { return kCorruptions; }

const Corruption* FindCorruption(const std::string& id) {
  const auto* const found =
      std::find_if(std::begin(kCorruptions), std::end(kCorruptions),
                   [&](const Corruption& corruption) { return id == corruption.id; });
  return found == std::end(kCorruptions) ? nullptr : found;
}

}  // namespace gatekeeper::faults
