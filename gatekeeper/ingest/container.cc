#include "gatekeeper/ingest/container.h"

#include "absl/strings/str_replace.h"
#include "agent/base/status_macros.h"
#include "agent/recording/zstd_file.h"

namespace gatekeeper::ingest {
namespace {

constexpr uint64_t kMostMessageBytes = 64ull << 20;  // as of any record of an MCAP file

}  // namespace

absl::Status Named(const Source& source, const absl::Status& status) {
  if (status.ok() || source.path == source.name) return status;
  return absl::Status(status.code(), absl::StrReplaceAll(std::string(status.message()),
                                                         {{source.path, source.name}}));
}

void Container::AddOuterCompression(const std::string& name) {
  facts_.compression =
      facts_.compression == "none" ? name : name + ", inside " + facts_.compression;
}

absl::Status Container::CountMessages() {
  return ForEachMessage({}, [this](const Topic& topic, const RawMessage& message) {
    ++topics_[topic.id].messages;
    span_.Add(message.log_time_ns);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::string_view> PlainMessage(const Topic& topic, std::string_view message,
                                              agent::recording::Buffer& room) {
  if (!message.starts_with(agent::recording::kZstdMagic) || topic.message_encoding != "cdr")
    return message;
  ASSIGN_OR_RETURN(room, agent::recording::UnpackZstdFrame(message, kMostMessageBytes));
  return room.view();
}

}  // namespace gatekeeper::ingest
