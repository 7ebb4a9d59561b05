#include "gatekeeper/ingest/frame_survey.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/geometry.h"
#include "gatekeeper/ingest/channel_kinds.h"
#include "gatekeeper/ingest/field_plan.h"

namespace gatekeeper::ingest {
namespace {

constexpr size_t kMostNamesOfChannel = 64;
constexpr double kToDegrees = 360 / agent::runtime::kTwoPi;

// Reads frame names of one channel's topic.
struct NameReader {
  std::string channel;
  std::unique_ptr<FieldPlan> plan;
  bool has_child = false;
};

// One pass over a recording's transforms and framed channels.
class SurveyPass {
 public:
  SurveyPass(const RecordingFile& file, const v1::ImportMap& map) : file_(file), map_(map) {}

  absl::StatusOr<FrameSurvey> Run() {
    RETURN_IF_ERROR(MakeReaders());
    if (selection_.topics.empty()) return std::move(survey_);
    const absl::Status read = file_.ForEachMessage(
        selection_,
        [&](const Topic& topic, const RawMessage& message) { return Take(topic, message); });
    if (!read.ok() && !absl::IsCancelled(read)) return read;
    return std::move(survey_);
  }

 private:
  absl::Status MakeReaders() {
    for (const Topic& topic : file_.topics()) {
      for (const auto& [channel, source] : map_.channels()) {
        if (source.topic() == topic.name && IsFramed(channel) && !source.has_mount())
          RETURN_IF_ERROR(AddNames(channel, topic));
      }
    }
    return names_.empty() ? absl::OkStatus() : MakeTransformReaders();
  }

  absl::Status MakeTransformReaders() {
    for (const Topic& topic : file_.topics()) {
      const bool fixed = survey_.topics.fixed.contains(topic.name);
      if (!(fixed || survey_.topics.moving.contains(topic.name)) || !IsTransforms(topic)) continue;
      ASSIGN_OR_RETURN(TransformReader reader, TransformReader::For(topic));
      transforms_.emplace(topic.id, std::pair(std::move(reader), fixed));
      selection_.topics.insert(topic.name);
    }
    return absl::OkStatus();
  }

  absl::Status AddNames(const std::string& channel, const Topic& topic) {
    ASSIGN_OR_RETURN(const FramePaths paths, FramePathsOf(topic));
    if (paths.frame.empty()) return absl::OkStatus();
    std::vector<std::string> wanted = {paths.frame};
    if (!paths.child.empty()) wanted.push_back(paths.child);
    ASSIGN_OR_RETURN(auto plan, CompilePlan(topic, wanted));
    AddTransformTopics(file_, topic.name, survey_.topics);
    names_[topic.id].push_back({channel, std::move(plan), !paths.child.empty()});
    selection_.topics.insert(topic.name);
    unseen_.insert(channel);
    return absl::OkStatus();
  }

  absl::Status Take(const Topic& topic, const RawMessage& message) {
    RETURN_IF_ERROR(TakeTransforms(topic, message));
    for (NameReader& reader : names_[topic.id]) {
      // What cannot be read is refused in words when it is imported.
      if (!reader.plan->Read(message.data, values_).ok()) continue;
      RETURN_IF_ERROR(TakeNames(reader));
    }
    return transforms_.empty() && unseen_.empty() ? absl::CancelledError("enough")
                                                  : absl::OkStatus();
  }

  absl::Status TakeTransforms(const Topic& topic, const RawMessage& message) {
    const auto found = transforms_.find(topic.id);
    if (found == transforms_.end()) return absl::OkStatus();
    auto& [reader, fixed] = found->second;
    const absl::Status read = reader.Read(message, told_);
    if (!read.ok() && !map_.has_frames()) {
      ++survey_.passed_over;
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(read);
    for (const NamedTransform& told : told_) RETURN_IF_ERROR(survey_.tree.Take(told, fixed));
    return absl::OkStatus();
  }

  absl::Status TakeNames(const NameReader& reader) {
    unseen_.erase(reader.channel);
    FrameSurvey::Named& named = survey_.channels[reader.channel];
    if (std::string name = FrameName(values_[0].text); !name.empty())
      named.frames.insert(std::move(name));
    if (reader.has_child) {
      if (std::string name = FrameName(values_[1].text); !name.empty())
        named.children.insert(std::move(name));
    }
    const size_t longest = std::max(values_[0].text.size(), values_.back().text.size());
    if (named.frames.size() + named.children.size() <= kMostNamesOfChannel &&
        longest <= kLongestFrameName) {
      return absl::OkStatus();
    }
    return absl::ResourceExhaustedError(absl::StrFormat(
        "channel %s: its messages name more than %d frames, or one of more than %d characters",
        reader.channel, kMostNamesOfChannel, kLongestFrameName));
  }

  const RecordingFile& file_;
  const v1::ImportMap& map_;
  Selection selection_;
  std::map<uint32_t, std::pair<TransformReader, bool>> transforms_;  // by topic id; /tf_static's
  std::map<uint32_t, std::vector<NameReader>> names_;                // by topic id
  std::set<std::string> unseen_;                                     // channels
  std::vector<NamedTransform> told_;
  std::vector<FieldValue> values_;
  FrameSurvey survey_;
};

// The body as it is mostly called, of the same robot where several are in one tree.
std::string BodyFor(const FrameTree& tree, const std::string& frame) {
  const std::string robot = frame.substr(0, frame.rfind('/') + 1);
  for (const char* name : {"base_link", "base_footprint"}) {
    if (tree.Has(robot + name)) return robot + name;
  }
  return "";
}

std::string FramesLine(const FrameTree& tree, const std::string& body) {
  return tree.Has("map") ? absl::StrFormat("frames: {body: %s, site: map}", body)
                         : absl::StrFormat("frames: {body: %s}", body);
}

// As the tree has it when it is first told, wherever it moves to later.
Transform FirstPlace(const FrameTree& tree, const Chain& chain) {
  const auto raised = [&tree](const std::vector<std::string>& way) {
    Transform at;
    for (const std::string& child : way) at = Compose(tree.PlaceOf(child).first, at);
    return at;
  };
  return Compose(Inverse(raised(chain.down)), raised(chain.up));
}

absl::Status SitsElsewhere(const FrameTree& tree, const Chain& chain, const Transform& sensor) {
  const FlatTransform flat = Flat(sensor);
  const std::string where = absl::StrFormat(
      "channel scan: the recording's transforms put %s at x %.3f m, y %.3f m in %s, turned by %.1f "
      "degrees%s%s, and scans are taken as seen from the body's origin, looking ahead; write '%s' "
      "into the import map",
      chain.from, flat.pose.x_m, flat.pose.y_m, chain.to, flat.pose.yaw_rad * kToDegrees,
      flat.upright < 0 ? " and upside down" : "", tree.HasMoved(chain) ? ", and moves it" : "",
      FramesLine(tree, chain.to));
  if (flat.upright < kLeastUpright || tree.HasMoved(chain)) {
    return absl::InvalidArgumentError(where);
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s, or beside the scan's topic 'mount: {x_m: %.3f, y_m: %.3f, yaw_deg: %.1f}'", where,
      flat.pose.x_m, flat.pose.y_m, flat.pose.yaw_rad * kToDegrees));
}

// Whether the recording itself has the scan's frame in the body's place; kInvalidArgument when it
// has it elsewhere.
absl::StatusOr<bool> IsBody(const FrameTree& tree, const std::string& frame) {
  const std::string body = BodyFor(tree, frame);
  const std::string last = frame.substr(frame.rfind('/') + 1);
  if (last == "base_link" || last == "base_footprint") return true;
  if (body.empty() || !tree.Has(frame)) return false;
  const absl::StatusOr<Chain> chain = tree.Find(frame, body);
  if (!chain.ok()) return false;
  const Transform sensor = FirstPlace(tree, *chain);
  if (SamePlace(sensor, Transform{}) && !tree.HasMoved(*chain)) return true;
  return SitsElsewhere(tree, *chain, sensor);
}

absl::Status JudgeScans(const FrameSurvey& survey, const v1::ImportMap& map,
                        std::vector<std::string>& notes) {
  const auto scan = survey.channels.find("scan");
  if (scan == survey.channels.end() || map.channels().at("scan").has_grid()) {
    return absl::OkStatus();
  }
  for (const std::string& frame : scan->second.frames) {
    ASSIGN_OR_RETURN(const bool is_body, IsBody(survey.tree, frame));
    if (is_body) continue;
    notes.push_back(absl::StrFormat(
        "scan: taken as seen from the body; the recording calls its frame %s (say mount: or "
        "frames:)",
        frame));
  }
  return absl::OkStatus();
}

void NotePoses(const FrameSurvey& survey, std::vector<std::string>& notes) {
  for (const std::string& channel : {std::string("odom"), std::string(kCorrectedChannel)}) {
    const auto named = survey.channels.find(channel);
    if (named == survey.channels.end()) continue;
    for (const std::string& frame : named->second.frames) {
      if (frame.find("odom") == frame.npos) continue;
      const std::string body = BodyFor(survey.tree, frame);
      notes.push_back(absl::StrFormat(
          "%s: its poses are in the recording's frame %s, which drifts, and are taken as the "
          "site's; %s",
          channel, frame,
          survey.tree.Has("map") && !body.empty()
              ? absl::StrFormat("write '%s' into the import map", FramesLine(survey.tree, body))
              : "with a localisation's transforms on /tf, frames: brings them into its map"));
    }
  }
}

}  // namespace

bool IsFramed(const std::string& channel) {
  return channel == "scan" || channel == "odom" || channel == kCorrectedChannel;
}

absl::StatusOr<FramePaths> FramePathsOf(const Topic& topic) {
  FramePaths paths;
  ASSIGN_OR_RETURN(const std::vector<FieldName> fields, FieldsOf(topic));
  for (const FieldName& field : fields) {
    if (field.path == "header.frame_id") paths.frame = field.path;
    if (field.path == "child_frame_id") paths.child = field.path;
  }
  return paths;
}

absl::StatusOr<FrameSurvey> SurveyFrames(const RecordingFile& file, const v1::ImportMap& map) {
  return SurveyPass(file, map).Run();
}

absl::StatusOr<std::vector<std::string>> JudgeUnfollowed(const FrameSurvey& survey,
                                                         const v1::ImportMap& map) {
  std::vector<std::string> notes;
  if (!map.has_frames()) RETURN_IF_ERROR(JudgeScans(survey, map, notes));
  if (map.frames().site().empty()) NotePoses(survey, notes);
  if (survey.passed_over > 0) {
    notes.push_back(absl::StrFormat(
        "%d messages of /tf or /tf_static tell a transform that is none and were passed over",
        survey.passed_over));
  }
  return notes;
}

}  // namespace gatekeeper::ingest
