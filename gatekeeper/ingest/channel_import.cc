#include "gatekeeper/ingest/channel_import.h"

#include <cstdio>
#include <filesystem>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/nearest_name.h"
#include "agent/base/status_macros.h"
#include "agent/recording/observation_writer.h"
#include "gatekeeper/ingest/channel_kinds.h"
#include "gatekeeper/ingest/channel_reader.h"
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

class Import {
 public:
  Import(Lanes lanes, ObservationWriter writer)
      : lanes_(std::move(lanes)), writer_(std::move(writer)) {}

  absl::Status Take(const Topic& topic, const RawMessage& message) {
    for (Lane& lane : lanes_[topic.id]) {
      ASSIGN_OR_RETURN(ChannelMessage read, lane.reader.Read(message, yaw_rad_));
      const Nanos at(message.log_time_ns);
      bool written = true;
      if (lane.channel == kCorrectedChannel) {
        RETURN_IF_ERROR(writer_.WriteMessage(resim::kCorrectedTopic, read.packet.odom(), at));
      } else {
        if (read.packet.has_odom()) yaw_rad_ = read.packet.odom().yaw_rad();
        ASSIGN_OR_RETURN(written, Write(read, at));
      }
      if (!written) {
        ++imported_.left_out;
        continue;
      }
      if (imported_.channels.empty()) imported_.first_ns = message.log_time_ns;
      imported_.last_ns = message.log_time_ns;
      ++imported_.channels[lane.channel];
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Imported> Finish() {
    if (imported_.channels.empty()) {
      return absl::InvalidArgumentError("none of the mapped topics has a message with a value");
    }
    RETURN_IF_ERROR(writer_.Close());
    return imported_;
  }

 private:
  // False when the message became nothing.
  absl::StatusOr<bool> Write(ChannelMessage& read, Nanos at) {
    if (read.command) {
      RETURN_IF_ERROR(writer_.Write(*read.command, at));
      return true;
    }
    if (read.packet.ByteSizeLong() == 0 && read.jpeg.empty()) return false;
    read.packet.set_seq(++seq_);
    read.packet.set_stamp_ns(read.stamp_ns);
    read.packet.set_want_command(true);  // the robot was driven: gates judge it as one that asks
    read.packet.set_network_up(true);    // nobody said otherwise
    RETURN_IF_ERROR(read.jpeg.empty()
                        ? writer_.Write(read.packet, at)
                        : writer_.WriteJpeg(read.packet, read.stamp_ns, read.jpeg, at));
    return true;
  }

  Lanes lanes_;
  ObservationWriter writer_;
  Imported imported_;
  uint64_t seq_ = 0;
  double yaw_rad_ = 0;  // as the newest odometry has it
};

}  // namespace

absl::StatusOr<Imported> ImportRecording(const RecordingFile& file, const v1::ImportMap& map,
                                         const std::string& destination) {
  if (map.channels().empty()) {
    return absl::InvalidArgumentError("the import map names no channel");
  }
  ASSIGN_OR_RETURN(Lanes lanes, MakeLanes(file, map));
  Selection selection;
  for (const auto& [channel, source] : map.channels()) selection.topics.insert(source.topic());
  const std::string unfinished = destination + ".unfinished";
  ASSIGN_OR_RETURN(ObservationWriter writer, ObservationWriter::Create(unfinished));
  Import import(std::move(lanes), std::move(writer));
  absl::Status status = file.ForEachMessage(
      selection,
      [&](const Topic& topic, const RawMessage& message) { return import.Take(topic, message); });
  absl::StatusOr<Imported> imported =
      status.ok() ? import.Finish() : absl::StatusOr<Imported>(status);
  std::error_code error;
  if (imported.ok()) {
    std::filesystem::rename(unfinished, destination, error);
    if (!error) return imported;
    imported = absl::UnavailableError(
        absl::StrFormat("%s cannot be put in place: %s", destination, error.message()));
  }
  std::error_code ignored;
  std::filesystem::remove(unfinished, ignored);
  return imported;
}

}  // namespace gatekeeper::ingest
