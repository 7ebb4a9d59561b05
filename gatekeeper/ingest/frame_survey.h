#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/frame_tree.h"
#include "gatekeeper/ingest/recording_file.h"
#include "gatekeeper/ingest/transform_topics.h"
#include "proto/ingest.pb.h"

namespace gatekeeper::ingest {

// What a recording tells of frames: its tree, and what its scans and poses say they are in.
struct FrameSurvey {
  struct Named {
    std::set<std::string> frames;    // header.frame_id; an empty one is left out
    std::set<std::string> children;  // child_frame_id
  };
  TransformTopics topics;  // that the tree is told on
  FrameTree tree;
  std::map<std::string, Named> channels;  // scan, odom and odom_corrected, as far as mapped
  uint64_t passed_over = 0;  // messages with a transform that is none, where no frames are followed
};

// Channels whose messages are in a frame that can be followed.
bool IsFramed(const std::string& channel);

// The paths of header.frame_id and child_frame_id, as far as the type has them; else empty.
struct FramePaths {
  std::string frame;
  std::string child;
};
absl::StatusOr<FramePaths> FramePathsOf(const Topic& topic);

// Reads the whole transform tree, and of every framed channel all messages' frames (the first ones
// only where the recording has no transforms). kDataLoss for messages that cannot be read,
// where frames are followed;
// kResourceExhausted beyond the tree's cap, or 64 frames of one channel.
absl::StatusOr<FrameSurvey> SurveyFrames(const RecordingFile& file, const v1::ImportMap& map);

// What somebody should know for whom no frames are followed (scans without `frames`, poses without
// a `site` in them): that scans are taken as seen from the body, that poses drift.
// kInvalidArgument: the recording itself has the laser elsewhere than in the body's origin, looking
// ahead; says what to write.
absl::StatusOr<std::vector<std::string>> JudgeUnfollowed(const FrameSurvey& survey,
                                                         const v1::ImportMap& map);

}  // namespace gatekeeper::ingest
