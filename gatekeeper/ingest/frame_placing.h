#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/ingest/channel_reader.h"
#include "gatekeeper/ingest/frame_survey.h"
#include "gatekeeper/ingest/scan_mount.h"
#include "gatekeeper/ingest/transform_history.h"
#include "proto/ingest.pb.h"

namespace gatekeeper::ingest {

// Brings what is read into the frames that gates and robots take it to be in, as an import map asks
// for it by `frames` and `mount`; what it asks nothing for stays as it is.
class FramePlacing {
 public:
  // kInvalidArgument: `mount` where there is no laser, `frames` without a body, frames that the
  // recording does not tell of or that do not hang together, poses of a part that moves on the
  // body. kDataLoss as FrameTree::Find.
  static absl::StatusOr<FramePlacing> For(FrameSurvey survey, const v1::ImportMap& map);

  // The frames that move and are followed: what a TransformHistory must hold.
  const std::set<std::string>& moving() const { return moving_; }
  // And where that is told.
  const std::set<std::string>& moving_topics() const { return survey_.topics.moving; }

  // A scan as MountScan brings it into the body frame. A pose: of the body, in the site frame; its
  // twist: of the body's origin, in the body frame. A child_frame_id that is not the body's must
  // sit on it without moving. kOutOfRange: a transform is missing at the stamp, and the message has
  // to be left out. kInvalidArgument: a frame that is tilted by more than kLeastUpright allows.
  // kDataLoss: a message without a frame, or a scan that MountScan refuses.
  absl::Status Place(const std::string& channel, const TransformHistory& history,
                     ChannelMessage& message) const;

  // Heading of the body in a grid's frame; empty where no frames are followed.
  absl::StatusOr<std::optional<double>> Heading(const std::string& channel,
                                                const TransformHistory& history,
                                                const Sender& sender) const;

 private:
  FramePlacing() = default;
  absl::Status CheckMounts(const v1::ImportMap& map);
  absl::Status FindWays(const v1::ImportMap& map);
  absl::Status AddPoseWays(const FrameSurvey::Named& named);
  absl::Status AddWays(const std::set<std::string>& from, const std::set<std::string>& to);
  absl::Status AddWay(const std::string& from, const std::string& to);
  absl::StatusOr<FlatTransform> Find(const std::string& from, const std::string& to,
                                     const TransformHistory& history, int64_t stamp_ns) const;
  absl::Status PlaceScan(const TransformHistory& history, ChannelMessage& message) const;
  absl::Status PlacePose(const TransformHistory& history, ChannelMessage& message) const;
  absl::Status MoveToBody(const TransformHistory& history, ChannelMessage& message,
                          agent::runtime::Pose2& pose) const;
  absl::Status MoveToSite(const TransformHistory& history, const ChannelMessage& message,
                          agent::runtime::Pose2& pose) const;
  // The message's, or kDataLoss.
  static absl::StatusOr<std::string> FrameOf(std::string_view frame);

  FrameSurvey survey_;
  bool followed_ = false;  // frames are
  std::string body_;
  std::string site_;  // empty: poses stay in their own frame
  std::optional<FlatTransform> mount_;
  std::map<std::pair<std::string, std::string>, Chain> ways_;  // by from and to
  std::set<std::string> moving_;
};

}  // namespace gatekeeper::ingest
