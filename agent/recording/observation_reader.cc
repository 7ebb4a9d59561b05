#include "agent/recording/observation_reader.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "agent/recording/packet_merge.h"
#include "agent/recording/topics.h"

namespace agent::recording {
namespace {

struct ChannelRule {
  std::string channel;
  std::string topic;
  std::vector<std::string> schemas;  // that the channel can be made of
};

std::vector<ChannelRule> DefaultRules() {
  return {{"packet", topics::kPacket, {"gatekeeper.v1.Observation"}},
          {"scan", topics::kScan, {"foxglove.LaserScan"}},
          {"odom", topics::kOdom, {"gatekeeper.v1.Odometry"}},
          {"image", topics::kImage, {"foxglove.RawImage", "foxglove.CompressedImage"}},
          {"imu", topics::kImu, {"gatekeeper.v1.Imu"}},
          {"joints", topics::kJoints, {"gatekeeper.v1.JointState"}},
          {"command", topics::kCommand, {"gatekeeper.v1.Command"}},
          {"verdict", topics::kVerdict, {"gatekeeper.v1.TickRecord"}}};
}

// The default rules, those of the file's /signal/ topics, and the caller's over both.
std::vector<ChannelRule> RulesFor(const McapReader& mcap, const ChannelMap& channels) {
  std::vector<ChannelRule> rules = DefaultRules();
  for (const auto& [id, channel] : mcap.channels())
    if (channel.topic.starts_with(topics::kSignals))
      rules.push_back(
          {channel.topic.substr(topics::kSignals.size()), channel.topic, {"gatekeeper.v1.Signal"}});
  for (const auto& [name, topic] : channels) {
    const auto known = std::find_if(rules.begin(), rules.end(), [&name = name](const auto& rule) {
      return rule.channel == name;
    });
    if (known == rules.end()) {
      rules.push_back({name, topic, {"gatekeeper.v1.Signal"}});
    } else {
      known->topic = topic;
    }
  }
  return rules;
}

absl::Status CheckTopicsExist(const McapReader& mcap, const ChannelMap& channels) {
  std::vector<std::string> known;
  for (const auto& [id, channel] : mcap.channels()) known.push_back(channel.topic);
  for (const auto& [name, topic] : channels)
    if (std::find(known.begin(), known.end(), topic) == known.end())
      return absl::InvalidArgumentError(
          absl::StrFormat("%s has no topic %s, which channel %s shall be read from; it has: %s",
                          mcap.path(), topic, name, absl::StrJoin(known, ", ")));
  return absl::OkStatus();
}

absl::Status CheckSchema(const McapReader& mcap, const Channel& channel, const ChannelRule& rule) {
  const auto schema = mcap.schemas().find(channel.schema_id);
  const std::string found = schema == mcap.schemas().end() ? "no schema" : schema->second.name;
  if (channel.message_encoding == kProtobuf &&
      std::find(rule.schemas.begin(), rule.schemas.end(), found) != rule.schemas.end())
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: topic %s carries %s (%s); channel %s is read from %s (protobuf)",
                      mcap.path(), channel.topic, found, channel.message_encoding, rule.channel,
                      absl::StrJoin(rule.schemas, " or ")));
}

}  // namespace

absl::StatusOr<ObservationReader> ObservationReader::Open(const std::string& path,
                                                          const ChannelMap& channels,
                                                          McapReaderOptions options) {
  ASSIGN_OR_RETURN(McapReader mcap, McapReader::Open(path, options));
  RETURN_IF_ERROR(CheckTopicsExist(mcap, channels));
  ObservationReader reader(std::move(mcap));
  for (const ChannelRule& rule : RulesFor(reader.mcap_, channels))
    RETURN_IF_ERROR(reader.Bind(rule.channel, rule.topic, rule.schemas));
  return reader;
}

absl::Status ObservationReader::Bind(const std::string& name, const std::string& topic,
                                     const std::vector<std::string>& schemas) {
  for (const auto& [id, channel] : mcap_.channels()) {
    if (channel.topic != topic) continue;
    RETURN_IF_ERROR(CheckSchema(mcap_, channel, {name, topic, schemas}));
    if (!names_.emplace(id, name).second)
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: topic %s cannot be read as two channels (%s and %s)", mcap_.path(),
                          topic, names_.at(id), name));
  }
  return absl::OkStatus();
}

absl::Status ObservationReader::ForEach(const Callback& callback) const {
  return Read(MessageFilter{}, callback);
}

absl::Status ObservationReader::ForEach(int64_t from_ns, int64_t to_ns,
                                        const Callback& callback) const {
  if (to_ns < 0 || to_ns < from_ns) return absl::OkStatus();
  return Read(MessageFilter{.topics = {},
                            .from_ns = static_cast<uint64_t>(std::max<int64_t>(from_ns, 0)),
                            .to_ns = static_cast<uint64_t>(to_ns)},
              callback);
}

absl::Status ObservationReader::Read(MessageFilter filter, const Callback& callback) const {
  for (const auto& [id, name] : names_) filter.topics.insert(mcap_.channels().at(id).topic);
  if (filter.topics.empty()) return absl::OkStatus();
  std::vector<std::optional<Carried>> carried(size_t{names_.rbegin()->first} + 1);  // by channel id
  for (const auto& [id, name] : names_)
    carried[id].emplace(name, SchemaName(mcap_.channels().at(id)));
  absl::Status from_callback;
  PacketMerge merge([&](const RecordedItem& item) { return from_callback = callback(item); });
  RETURN_IF_ERROR(mcap_.ForEachMessage(
      filter, [&](const Channel& channel, const Message& message) -> absl::Status {
        absl::Status status = merge.Add(*carried[channel.id], message);
        if (status.ok() || !from_callback.ok()) return status;
        return absl::Status(
            status.code(),
            absl::StrFormat("%s: %s at log time %d ns: %s", mcap_.path(), channel.topic,
                            message.log_time_ns, std::string(status.message())));
      }));
  return merge.Finish();
}

// Every channel that is read has a schema: Open saw to it.
const std::string& ObservationReader::SchemaName(const Channel& channel) const {
  return mcap_.schemas().at(channel.schema_id).name;
}

}  // namespace agent::recording
