#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/ingest/field_plan.h"
#include "gatekeeper/ingest/recording_file.h"
#include "gatekeeper/ingest/transform.h"

namespace gatekeeper::ingest {

// Where `child` sits in `parent`, as a robot's transform tree tells it.
struct NamedTransform {
  int64_t stamp_ns = 0;
  std::string parent;
  std::string child;
  Transform transform;
};

inline constexpr size_t kLongestFrameName = 256;

// A frame's name as it is compared: ROS 1 wrote a slash in front.
std::string FrameName(std::string_view text);

// tf2_msgs/TFMessage, and tf/tfMessage as it was called before.
bool IsTransforms(const Topic& topic);

// The messages of one such topic.
class TransformReader {
 public:
  static absl::StatusOr<TransformReader> For(const Topic& topic);

  // kDataLoss names topic and time: bytes that are no such message, more than 256 transforms in
  // one, a name that is empty or beyond 256 characters, a turn or place that is none.
  absl::Status Read(const RawMessage& message, std::vector<NamedTransform>& transforms);

 private:
  explicit TransformReader(Topic topic) : topic_(std::move(topic)) {}
  absl::Status MakeRoom(size_t places);
  absl::Status ReadPlaces(std::string_view message);
  absl::Status ReadAll(std::string_view message, std::vector<NamedTransform>& transforms);

  Topic topic_;
  size_t places_ = 0;  // of transforms that the plan reads; grows as messages ask for it
  std::unique_ptr<FieldPlan> plan_;
  std::vector<FieldValue> values_;
};

}  // namespace gatekeeper::ingest
