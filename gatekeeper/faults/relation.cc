#include "gatekeeper/faults/relation.h"

#include <algorithm>
#include <functional>

#include "gatekeeper/faults/picture.h"
#include "gatekeeper/faults/range_scan.h"

namespace gatekeeper::faults {
namespace {

constexpr double kBrightness = 0.05;
constexpr double kNearer = 0.7;
constexpr double kAhead_rad = 0.5;  // the width of a person one and a half metres away

// Changes whole packets while it is on.
class WholeChange final : public Transform {
 public:
  WholeChange(const Spec& spec, std::function<void(v1::Observation&)> change)
      : spec_(spec), change_(std::move(change)) {}
  void Take(Message message, std::vector<Message>& out) override {
    if (spec_.On(message.at_ns)) change_(message.observation);
    out.push_back(std::move(message));
  }

 private:
  Spec spec_;
  std::function<void(v1::Observation&)> change_;
};

// The robot's world seen in a mirror along its own axis: what turns left turns right. The site's
// frame is mirrored at its x axis. A signal is mirrored when it is an angle or its name says so.
void MirrorWorld(v1::Observation& observation) {
  if (observation.has_scan()) MirrorScan(*observation.mutable_scan());
  if (observation.has_image()) MirrorImage(*observation.mutable_image());
  if (observation.has_odom()) {
    v1::Odometry& odom = *observation.mutable_odom();
    odom.set_y_m(-odom.y_m());
    odom.set_yaw_rad(-odom.yaw_rad());
    odom.set_wz_radps(-odom.wz_radps());
  }
  if (observation.has_imu()) {
    v1::Imu& imu = *observation.mutable_imu();
    imu.set_ay_mps2(-imu.ay_mps2());
    imu.set_gx_radps(-imu.gx_radps());
    imu.set_gz_radps(-imu.gz_radps());
  }
  for (auto& [name, signal] : *observation.mutable_signals()) {
    if (name.ends_with("_rad") || name.ends_with("_radps") || name.ends_with("_y_m"))
      signal.set_value(-signal.value());
  }
}

std::unique_ptr<Transform> Mirrored(const Spec& spec) {
  return std::make_unique<WholeChange>(spec, MirrorWorld);
}

std::unique_ptr<Transform> Lit(const Spec& spec, double factor) {
  return std::make_unique<WholeChange>(spec, [factor](v1::Observation& observation) {
    if (observation.has_image()) Scale(factor, *observation.mutable_image());
  });
}
std::unique_ptr<Transform> Brighter(const Spec& spec) { return Lit(spec, 1 + kBrightness); }
std::unique_ptr<Transform> Darker(const Spec& spec) { return Lit(spec, 1 - kBrightness); }

std::unique_ptr<Transform> Nearer(const Spec& spec) {
  return std::make_unique<WholeChange>(spec, [](v1::Observation& observation) {
    if (observation.has_scan()) BringNearer(kNearer, kAhead_rad, *observation.mutable_scan());
  });
}

std::unique_ptr<Transform> MovedSite(const Spec& spec) {
  return std::make_unique<WholeChange>(spec, [](v1::Observation& observation) {
    if (!observation.has_odom()) return;
    v1::Odometry& odom = *observation.mutable_odom();
    odom.set_x_m(odom.x_m() + kSiteMovedX_m);
    odom.set_y_m(odom.y_m() + kSiteMovedY_m);
  });
}

constexpr Relation kRelations[] = {
    {"mirror", "in a mirrored world the model turns the other way", Mirrored},
    {"brighter", "5 % more light changes next to nothing", Brighter},
    {"darker", "5 % less light changes next to nothing", Darker},
    {"nearer", "what stands nearer ahead never makes the robot faster", Nearer},
    {"moved_site", "where the site's origin lies changes nothing", MovedSite},
};

}  // namespace

const Relation* FindRelation(const std::string& id) {
  const auto* const found =
      std::find_if(std::begin(kRelations), std::end(kRelations),
                   [&](const Relation& relation) { return id == relation.id; });
  return found == std::end(kRelations) ? nullptr : found;
}

}  // namespace gatekeeper::faults
