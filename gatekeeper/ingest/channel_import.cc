#include "gatekeeper/ingest/channel_import.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/nearest_name.h"
#include "agent/base/status_macros.h"
#include "agent/recording/observation_writer.h"
#include "gatekeeper/ingest/channel_kinds.h"
#include "gatekeeper/ingest/channel_reader.h"
#include "gatekeeper/ingest/frame_survey.h"
#include "gatekeeper/resim/drive_log.h"

namespace gatekeeper::ingest {
namespace {

using agent::base::Nanos;
using agent::recording::ObservationWriter;

struct Lane {
  std::string channel;
  ChannelReader reader;
};
using Lanes = std::map<uint32_t, std::vector<Lane>>;  // by topic id

// A recording may hold several topics of one name: of two writers, or of a split bag.
absl::StatusOr<std::vector<const Topic*>> TopicsNamed(const RecordingFile& file,
                                                      const std::string& channel,
                                                      const std::string& name) {
  std::vector<const Topic*> found;
  std::vector<std::string> known;
  for (const Topic& topic : file.topics()) {
    if (topic.name == name) found.push_back(&topic);
    known.push_back(topic.name);
  }
  if (!found.empty()) return found;
  const std::string nearest = agent::base::NearestName(name, known);
  return absl::InvalidArgumentError(
      absl::StrFormat("channel %s: the recording has no topic '%s'%s", channel, name,
                      nearest.empty() ? "; `gatekeeper scenario info` lists them"
                                      : absl::StrFormat("; did you mean '%s'?", nearest)));
}

absl::StatusOr<Lanes> MakeLanes(const RecordingFile& file, const v1::ImportMap& map) {
  Lanes lanes;
  // In the order of names, so that equal inputs give equal files.
  const std::map<std::string, v1::ChannelSource> channels(map.channels().begin(),
                                                          map.channels().end());
  for (const auto& [channel, source] : channels) {
    ASSIGN_OR_RETURN(const std::vector<const Topic*> topics,
                     TopicsNamed(file, channel, source.topic()));
    for (const Topic* topic : topics) {
      ASSIGN_OR_RETURN(ChannelReader reader, ChannelReader::For(channel, source, *topic));
      lanes[topic->id].push_back({channel, std::move(reader)});
    }
  }
  return lanes;
}

// What a channel's messages became.
struct Tally {
  uint64_t written = 0;
  uint64_t without_value = 0;
  uint64_t without_transform = 0;
  std::string first_miss;  // why the first of those has none
};

class Import {
 public:
  Import(Lanes lanes, const FramePlacing& placing, TransformHistory history,
         ObservationWriter writer)
      : lanes_(std::move(lanes)),
        placing_(placing),
        history_(std::move(history)),
        writer_(std::move(writer)) {}

  absl::Status Take(const Topic& topic, const RawMessage& message) {
    for (Lane& lane : lanes_[topic.id]) RETURN_IF_ERROR(TakeOne(lane, message));
    return absl::OkStatus();
  }

  absl::StatusOr<Imported> Finish() {
    Imported imported;
    for (const auto& [channel, tally] : tallies_) RETURN_IF_ERROR(Report(channel, tally, imported));
    if (imported.channels.empty()) {
      return absl::NotFoundError("none of the mapped topics has a message with a value");
    }
    imported.first_ns = span_.first_ns;
    imported.last_ns = span_.last_ns;
    RETURN_IF_ERROR(writer_.Close());
    return imported;
  }

 private:
  absl::Status TakeOne(Lane& lane, const RawMessage& message) {
    Tally& tally = tallies_[lane.channel];
    absl::StatusOr<ChannelMessage> read = Read(lane, message);
    if (absl::IsOutOfRange(read.status())) {
      if (++tally.without_transform == 1) tally.first_miss = std::string(read.status().message());
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(read.status());
    ASSIGN_OR_RETURN(const bool written, Write(lane.channel, *read, Nanos(message.log_time_ns)));
    ++(written ? tally.written : tally.without_value);
    if (written) span_.Add(message.log_time_ns);
    return absl::OkStatus();
  }

  absl::StatusOr<ChannelMessage> Read(Lane& lane, const RawMessage& message) {
    const auto heading = [&](const Sender& sender) -> absl::StatusOr<double> {
      ASSIGN_OR_RETURN(const std::optional<double> told,
                       placing_.Heading(lane.channel, history_, sender));
      return told.value_or(yaw_rad_);
    };
    ASSIGN_OR_RETURN(ChannelMessage read, lane.reader.Read(message, heading));
    if (read.packet.has_odom() && lane.channel != kCorrectedChannel)
      yaw_rad_ = read.packet.odom().yaw_rad();
    const absl::Status placed = placing_.Place(lane.channel, history_, read);
    if (!placed.ok()) return lane.reader.About(message, placed);
    return read;
  }

  static absl::Status Report(const std::string& channel, const Tally& tally, Imported& imported) {
    if (tally.written > 0) imported.channels[channel] = tally.written;
    imported.left_out += tally.without_value + tally.without_transform;
    if (tally.without_value > 0) {
      imported.notes.push_back(absl::StrFormat("%s: %d messages had no value and were left out",
                                               channel, tally.without_value));
    }
    if (tally.without_transform == 0) return absl::OkStatus();
    if (tally.written == 0) {
      return absl::DataLossError(absl::StrFormat(
          "channel %s: not one of its %d messages can be brought into its frame; the first: %s",
          channel, tally.without_transform, tally.first_miss));
    }
    imported.notes.push_back(
        absl::StrFormat("%s: %d messages had no transform and were left out; the first: %s",
                        channel, tally.without_transform, tally.first_miss));
    return absl::OkStatus();
  }

  // False when the message became nothing.
  absl::StatusOr<bool> Write(const std::string& channel, ChannelMessage& read, Nanos at) {
    if (channel == kCorrectedChannel) {
      RETURN_IF_ERROR(writer_.WriteMessage(resim::kCorrectedTopic, read.packet.odom(), at));
      return true;
    }
    if (read.command) {
      RETURN_IF_ERROR(writer_.Write(*read.command, at));
      return true;
    }
    if (read.packet.ByteSizeLong() == 0 && read.jpeg.empty()) return false;
    read.packet.set_seq(++seq_);
    read.packet.set_stamp_ns(read.sender.stamp_ns);
    read.packet.set_want_command(true);  // the robot was driven: gates judge it as one that asks
    read.packet.set_network_up(true);    // nobody said otherwise
    RETURN_IF_ERROR(read.jpeg.empty()
                        ? writer_.Write(read.packet, at)
                        : writer_.WriteJpeg(read.packet, read.sender.stamp_ns, read.jpeg, at));
    return true;
  }

  Lanes lanes_;
  const FramePlacing& placing_;
  TransformHistory history_;
  ObservationWriter writer_;
  std::map<std::string, Tally> tallies_;  // by channel
  Span span_;                             // of what was written
  uint64_t seq_ = 0;
  double yaw_rad_ = 0;  // as the newest odometry has it in its own frame
};

std::string ScaleNote(const std::string& channel, const v1::ChannelSource& source) {
  return absl::StrFormat("%s: numbers were changed, by scale %g and offset %g", channel,
                         source.scale() == 0 ? 1 : source.scale(), source.offset());
}

absl::Status PutInPlace(const std::string& unfinished, const std::string& destination) {
  std::error_code error;
  std::filesystem::rename(unfinished, destination, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrFormat("%s cannot be put in place: %s", destination, error.message()));
}

}  // namespace

Importer::Importer(const RecordingFile& file, const v1::ImportMap& map, FramePlacing placing,
                   std::vector<std::string> notes)
    : file_(file), map_(map), placing_(std::move(placing)), notes_(std::move(notes)) {}

absl::StatusOr<Importer> Importer::For(const RecordingFile& file, const v1::ImportMap& map) {
  if (map.channels().empty()) {
    return absl::InvalidArgumentError("the import map names no channel");
  }
  RETURN_IF_ERROR(MakeLanes(file, map).status());
  ASSIGN_OR_RETURN(FrameSurvey survey, SurveyFrames(file, map));
  ASSIGN_OR_RETURN(std::vector<std::string> notes, JudgeUnfollowed(survey, map));
  for (const auto& [channel, source] : std::map(map.channels().begin(), map.channels().end())) {
    const bool scaled = source.scale() != 0 && source.scale() != 1;
    if (scaled || source.offset() != 0) notes.push_back(ScaleNote(channel, source));
  }
  ASSIGN_OR_RETURN(FramePlacing placing, FramePlacing::For(std::move(survey), map));
  return Importer(file, map, std::move(placing), std::move(notes));
}

absl::StatusOr<Imported> Importer::Write(const TimeRange& stretch,
                                         const std::string& destination) const {
  const std::string unfinished = destination + ".unfinished";
  absl::StatusOr<Imported> imported = WriteTo(unfinished, stretch);
  absl::Status status = imported.ok() ? PutInPlace(unfinished, destination) : imported.status();
  if (status.ok()) return imported;
  std::error_code ignored;
  std::filesystem::remove(unfinished, ignored);
  return status;
}

absl::StatusOr<Imported> Importer::WriteTo(const std::string& path,
                                           const TimeRange& stretch) const {
  ASSIGN_OR_RETURN(Lanes lanes, MakeLanes(file_, map_));
  ASSIGN_OR_RETURN(
      TransformHistory history,
      TransformHistory::Read(
          file_, {.topics = placing_.moving_topics(), .frames = placing_.moving()}, stretch));
  Selection selection{.from_ns = stretch.from_ns, .to_ns = stretch.to_ns};
  for (const auto& [channel, source] : map_.channels()) selection.topics.insert(source.topic());
  ASSIGN_OR_RETURN(ObservationWriter writer, ObservationWriter::Create(path));
  Import import(std::move(lanes), placing_, std::move(history), std::move(writer));
  RETURN_IF_ERROR(file_.ForEachMessage(
      selection,
      [&](const Topic& topic, const RawMessage& message) { return import.Take(topic, message); }));
  return import.Finish();
}

}  // namespace gatekeeper::ingest
