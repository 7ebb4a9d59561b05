#include "gatekeeper/ingest/transform_reader.h"

#include <cmath>
#include <span>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::ingest {
namespace {

constexpr size_t kFirstPlaces = 4;
constexpr size_t kMostPlaces = 256;
constexpr const char* kPaths[] = {"header.stamp",
                                  "header.frame_id",
                                  "child_frame_id",
                                  "transform.translation.x",
                                  "transform.translation.y",
                                  "transform.translation.z",
                                  "transform.rotation.x",
                                  "transform.rotation.y",
                                  "transform.rotation.z",
                                  "transform.rotation.w"};
constexpr size_t kChild = 2;

absl::StatusOr<std::string> NameFrom(const FieldValue& value, const char* what) {
  std::string name = FrameName(value.text);
  if (!name.empty() && name.size() <= kLongestFrameName) return name;
  return absl::DataLossError(absl::StrFormat(
      "a transform whose %s is empty or has more than %d characters", what, kLongestFrameName));
}

absl::StatusOr<NamedTransform> TransformFrom(std::span<const FieldValue> values) {
  NamedTransform named;
  named.stamp_ns = values[0].integer;
  ASSIGN_OR_RETURN(named.parent, NameFrom(values[1], "header.frame_id"));
  ASSIGN_OR_RETURN(named.child, NameFrom(values[kChild], "child_frame_id"));
  for (size_t i = kChild + 1; i < values.size(); ++i) {
    if (!std::isfinite(values[i].number)) {
      return absl::DataLossError(
          absl::StrFormat("the transform from %s to %s is not finite", named.parent, named.child));
    }
  }
  const auto turn = TurnOf(values[6].number, values[7].number, values[8].number, values[9].number);
  if (!turn.ok()) {
    return absl::DataLossError(absl::StrFormat("the transform from %s to %s is %s", named.parent,
                                               named.child, std::string(turn.status().message())));
  }
  named.transform = {values[3].number, values[4].number, values[5].number, *turn};
  return named;
}

}  // namespace

std::string FrameName(std::string_view text) {
  return std::string(text.substr(std::min(text.find_first_not_of('/'), text.size())));
}

bool IsTransforms(const Topic& topic) {
  return topic.type == "tf2_msgs/msg/TFMessage" || topic.type == "tf2_msgs/TFMessage" ||
         topic.type == "tf/tfMessage";
}

absl::StatusOr<TransformReader> TransformReader::For(const Topic& topic) {
  TransformReader reader(topic);
  RETURN_IF_ERROR(reader.MakeRoom(kFirstPlaces));
  return reader;
}

// One place more than are read, to see that there are no others.
absl::Status TransformReader::MakeRoom(size_t places) {
  if (places > kMostPlaces) {
    return absl::DataLossError(
        absl::StrFormat("it holds more than %d transforms in one message", kMostPlaces));
  }
  std::vector<std::string> paths;
  for (size_t i = 0; i < places; ++i) {
    for (const char* path : kPaths) paths.push_back(absl::StrFormat("transforms[%d].%s", i, path));
  }
  paths.push_back(absl::StrFormat("transforms[%d].%s", places, kPaths[kChild]));
  ASSIGN_OR_RETURN(plan_, CompilePlan(topic_, paths));
  places_ = places;
  return absl::OkStatus();
}

absl::Status TransformReader::ReadPlaces(std::string_view message) {
  RETURN_IF_ERROR(plan_->Read(message, values_));
  while (values_.back().present) {
    RETURN_IF_ERROR(MakeRoom(2 * places_));
    RETURN_IF_ERROR(plan_->Read(message, values_));
  }
  return absl::OkStatus();
}

absl::Status TransformReader::ReadAll(std::string_view message,
                                      std::vector<NamedTransform>& transforms) {
  transforms.clear();
  RETURN_IF_ERROR(ReadPlaces(message));
  const std::span<const FieldValue> values(values_);
  for (size_t i = 0; i < places_; ++i) {
    const auto place = values.subspan(i * std::size(kPaths), std::size(kPaths));
    if (!place[kChild].present) break;
    ASSIGN_OR_RETURN(transforms.emplace_back(), TransformFrom(place));
  }
  return absl::OkStatus();
}

absl::Status TransformReader::Read(const RawMessage& message,
                                   std::vector<NamedTransform>& transforms) {
  absl::Status read = ReadAll(message.data, transforms);
  if (read.ok()) return read;
  return absl::Status(read.code(),
                      absl::StrFormat("topic %s (%s), log time %d ns: %s", topic_.name, topic_.type,
                                      message.log_time_ns, std::string(read.message())));
}

}  // namespace gatekeeper::ingest
