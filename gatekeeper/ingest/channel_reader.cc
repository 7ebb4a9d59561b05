#include "gatekeeper/ingest/channel_reader.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/channel_kinds.h"
#include "gatekeeper/ingest/frame_survey.h"

namespace gatekeeper::ingest {
namespace {

// Types that are a moment in time.
bool IsTime(std::string_view type) {
  constexpr std::string_view kTimes[] = {"builtin_interfaces/Time", "time",
                                         "google.protobuf.Timestamp"};
  return std::find(std::begin(kTimes), std::end(kTimes), type) != std::end(kTimes);
}

// The path of the sender's time; empty where the log time has to do.
absl::StatusOr<std::string> StampPath(const v1::ChannelSource& source, const Topic& topic) {
  constexpr char kHeader[] = "header.stamp";
  ASSIGN_OR_RETURN(const std::vector<FieldName> fields, FieldsOf(topic));
  const std::string wanted = source.stamp().empty() ? kHeader : source.stamp();
  for (const FieldName& field : fields) {
    if (field.path == wanted && IsTime(field.type)) return wanted;
  }
  if (source.stamp().empty()) return std::string();
  return absl::InvalidArgumentError(
      absl::StrFormat("stamp '%s' is no time of topic %s (%s)", wanted, topic.name, topic.type));
}

}  // namespace

absl::StatusOr<ChannelReader> ChannelReader::For(const std::string& channel,
                                                 const v1::ChannelSource& source,
                                                 const Topic& topic) {
  ASSIGN_OR_RETURN(ChannelKind kind, KindOf(channel, source, topic));
  ASSIGN_OR_RETURN(const std::string stamp, StampPath(source, topic));
  ChannelReader reader;
  reader.channel_ = channel;
  reader.source_ = source;
  reader.about_ = absl::StrFormat("topic %s (%s)", topic.name, topic.type);
  reader.convert_ = kind.convert;
  const auto add = [&kind](const std::string& path) {
    if (path.empty()) return size_t{0};
    kind.paths.push_back(path);
    return kind.paths.size() - 1;
  };
  reader.stamp_at_ = add(stamp);
  if (IsFramed(channel)) {
    ASSIGN_OR_RETURN(const FramePaths frames, FramePathsOf(topic));
    reader.frame_at_ = add(frames.frame);
    reader.child_at_ = add(frames.child);
  }
  ASSIGN_OR_RETURN(reader.plan_, CompilePlan(topic, kind.paths));
  return reader;
}

absl::StatusOr<ChannelMessage> ChannelReader::Read(const RawMessage& message,
                                                   const Heading& heading) {
  ChannelMessage out;
  absl::Status read = plan_->Read(message.data, values_);
  if (read.ok()) {
    out.sender.stamp_ns = stamp_at_ > 0 ? values_[stamp_at_].integer : message.log_time_ns;
    if (frame_at_ > 0) out.sender.frame = values_[frame_at_].text;
    if (child_at_ > 0) out.sender.child = values_[child_at_].text;
    out.from_grid = source_.has_grid();
    const absl::StatusOr<double> yaw_rad = out.from_grid ? heading(out.sender) : 0.0;
    read = yaw_rad.status();
    if (read.ok()) {
      const ChannelContext context{.source = source_, .channel = channel_, .yaw_rad = *yaw_rad};
      read = convert_(context, values_, out);
    }
  }
  if (read.ok()) return out;
  return About(message, read);
}

absl::Status ChannelReader::About(const RawMessage& message, const absl::Status& status) const {
  return absl::Status(status.code(),
                      absl::StrFormat("%s, log time %d ns: %s", about_, message.log_time_ns,
                                      std::string(status.message())));
}

}  // namespace gatekeeper::ingest
