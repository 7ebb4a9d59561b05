#include "gatekeeper/ingest/frame_placing.h"

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/geometry.h"

namespace gatekeeper::ingest {
namespace {

using agent::runtime::ExactSinCos;
using agent::runtime::kTwoPi;
using agent::runtime::Pose2;
using agent::runtime::SinCos;

absl::Status OfFrame(const std::string& from, const std::string& to, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrFormat("frame %s in %s: %s", from, to,
                                                     std::string(status.message())));
}

// Motion of one point of a body as that of the body's origin. `point` is where it sits there.
void MoveTwist(const Pose2& point, double vy_mps, v1::Odometry& odom) {
  const SinCos turn = ExactSinCos(point.yaw_rad);
  odom.set_vx_mps(turn.cos * odom.vx_mps() - turn.sin * vy_mps + odom.wz_radps() * point.y_m);
}

}  // namespace

absl::StatusOr<FramePlacing> FramePlacing::For(FrameSurvey survey, const v1::ImportMap& map) {
  FramePlacing placing;
  placing.survey_ = std::move(survey);
  RETURN_IF_ERROR(placing.CheckMounts(map));
  placing.followed_ = map.has_frames();
  if (!placing.followed_) return placing;
  placing.body_ = FrameName(map.frames().body());
  placing.site_ = FrameName(map.frames().site());
  if (placing.body_.empty()) {
    return absl::InvalidArgumentError(
        "frames needs body, the robot's own frame in the recording, e.g. base_link");
  }
  RETURN_IF_ERROR(placing.FindWays(map));
  return placing;
}

absl::Status FramePlacing::CheckMounts(const v1::ImportMap& map) {
  for (const auto& [channel, source] : map.channels()) {
    if (!source.has_mount()) continue;
    if (channel != "scan" || source.has_grid()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "channel %s: mount tells where a laser sits; only a scan without grid has one", channel));
    }
    const v1::Mount& mount = source.mount();
    mount_ = {.pose = {mount.x_m(), mount.y_m(), mount.yaw_deg() * (kTwoPi / 360)}, .upright = 1};
  }
  return absl::OkStatus();
}

absl::Status FramePlacing::FindWays(const v1::ImportMap& map) {
  for (const auto& [channel, named] : survey_.channels) {
    absl::Status found = channel == "scan" && map.channels().at(channel).has_grid()
                             ? AddWays({body_}, named.frames)
                         : channel == "scan" ? AddWays(named.frames, {body_})
                                             : AddPoseWays(named);
    if (found.ok()) continue;
    return absl::Status(found.code(),
                        absl::StrFormat("channel %s: %s", channel, std::string(found.message())));
  }
  return absl::OkStatus();
}

absl::Status FramePlacing::AddPoseWays(const FrameSurvey::Named& named) {
  if (!site_.empty()) RETURN_IF_ERROR(AddWays(named.frames, {site_}));
  RETURN_IF_ERROR(AddWays({body_}, named.children));
  RETURN_IF_ERROR(AddWays(named.children, {body_}));
  for (const std::string& child : named.children) {
    if (!survey_.tree.HasMoved(ways_.at({child, body_}))) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "its child_frame_id %s moves on the body %s: only what is fixed to it tells its motion",
        child, body_));
  }
  return absl::OkStatus();
}

absl::Status FramePlacing::AddWays(const std::set<std::string>& from,
                                   const std::set<std::string>& to) {
  for (const std::string& one : from) {
    for (const std::string& other : to) RETURN_IF_ERROR(AddWay(one, other));
  }
  return absl::OkStatus();
}

absl::Status FramePlacing::AddWay(const std::string& from, const std::string& to) {
  if (from != to && survey_.tree.empty()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "frames %s and %s: the recording tells nothing of frames, for it has neither %s nor %s of "
        "type tf2_msgs/TFMessage; leave frames out, and tell the laser's place by mount",
        from, to, kMovingTopic, kStaticTopic));
  }
  ASSIGN_OR_RETURN(Chain chain, survey_.tree.Find(from, to));
  for (const auto* way : {&chain.up, &chain.down}) {
    for (const std::string& child : *way) {
      if (!survey_.tree.PlaceOf(child).fixed) moving_.insert(child);
    }
  }
  ways_.emplace(std::pair(from, to), std::move(chain));
  return absl::OkStatus();
}

absl::StatusOr<FlatTransform> FramePlacing::Find(const std::string& from, const std::string& to,
                                                 const TransformHistory& history,
                                                 int64_t stamp_ns) const {
  if (from == to) return FlatTransform{};
  const auto way = ways_.find({from, to});
  if (way == ways_.end()) {
    return absl::DataLossError(
        absl::StrFormat("frame %s was not there when the recording was surveyed", from));
  }
  ASSIGN_OR_RETURN(const Transform found, history.Find(survey_.tree, way->second, stamp_ns));
  return Flat(found);
}

absl::StatusOr<std::string> FramePlacing::FrameOf(std::string_view frame) {
  std::string name = FrameName(frame);
  if (!name.empty()) return name;
  return absl::DataLossError(
      "its header.frame_id is empty, so that it cannot be brought into another frame; tell a "
      "laser's place by mount");
}

absl::Status FramePlacing::Place(const std::string& channel, const TransformHistory& history,
                                 ChannelMessage& message) const {
  if (channel == "scan" && mount_) return MountScan(*mount_, *message.packet.mutable_scan());
  if (!followed_ || !IsFramed(channel)) return absl::OkStatus();
  return channel == "scan" ? PlaceScan(history, message) : PlacePose(history, message);
}

absl::Status FramePlacing::PlaceScan(const TransformHistory& history,
                                     ChannelMessage& message) const {
  if (message.from_grid) return absl::OkStatus();  // seen from the body already
  ASSIGN_OR_RETURN(const std::string frame, FrameOf(message.sender.frame));
  ASSIGN_OR_RETURN(const FlatTransform sensor,
                   Find(frame, body_, history, message.sender.stamp_ns));
  const absl::Status mounted = MountScan(sensor, *message.packet.mutable_scan());
  return mounted.ok() ? mounted : OfFrame(frame, body_, mounted);
}

absl::Status FramePlacing::PlacePose(const TransformHistory& history,
                                     ChannelMessage& message) const {
  v1::Odometry& odom = *message.packet.mutable_odom();
  Pose2 pose = {odom.x_m(), odom.y_m(), odom.yaw_rad()};
  RETURN_IF_ERROR(MoveToBody(history, message, pose));
  RETURN_IF_ERROR(MoveToSite(history, message, pose));
  odom.set_x_m(pose.x_m);
  odom.set_y_m(pose.y_m);
  odom.set_yaw_rad(pose.yaw_rad);
  return absl::OkStatus();
}

absl::Status FramePlacing::MoveToBody(const TransformHistory& history, ChannelMessage& message,
                                      Pose2& pose) const {
  const std::string child = FrameName(message.sender.child);
  if (child.empty() || child == body_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const FlatTransform body, Find(body_, child, history, message.sender.stamp_ns));
  ASSIGN_OR_RETURN(const FlatTransform point, Find(child, body_, history, message.sender.stamp_ns));
  if (body.upright < kLeastUpright) {
    return OfFrame(child, body_, absl::InvalidArgumentError("it is tilted against the body"));
  }
  pose = Compose(pose, body.pose);
  MoveTwist(point.pose, message.vy_mps, *message.packet.mutable_odom());
  return absl::OkStatus();
}

absl::Status FramePlacing::MoveToSite(const TransformHistory& history,
                                      const ChannelMessage& message, Pose2& pose) const {
  if (site_.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string frame, FrameOf(message.sender.frame));
  if (frame == site_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const FlatTransform from, Find(frame, site_, history, message.sender.stamp_ns));
  if (from.upright < kLeastUpright) {
    return OfFrame(frame, site_, absl::InvalidArgumentError("it is tilted against the site"));
  }
  pose = Compose(from.pose, pose);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<double>> FramePlacing::Heading(const std::string& channel,
                                                            const TransformHistory& history,
                                                            const Sender& sender) const {
  if (!followed_ || channel != "scan") return std::nullopt;
  ASSIGN_OR_RETURN(const std::string frame, FrameOf(sender.frame));
  ASSIGN_OR_RETURN(const FlatTransform body, Find(body_, frame, history, sender.stamp_ns));
  return std::optional<double>(body.pose.yaw_rad);
}

}  // namespace gatekeeper::ingest
