#include "agent/recording/clip.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "agent/recording/mcap_writer.h"

namespace agent::recording {
namespace {

std::string FileName(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

absl::StatusOr<uint16_t> CopyChannel(const McapReader& source, const Channel& channel,
                                     McapWriter& out) {
  uint16_t schema_id = 0;
  if (channel.schema_id != 0) {
    const Schema& schema = source.schemas().at(channel.schema_id);
    ASSIGN_OR_RETURN(schema_id, out.AddSchema(schema.name, schema.encoding, schema.data));
  }
  return out.AddChannel(schema_id, channel.topic, channel.message_encoding, channel.metadata);
}

absl::StatusOr<uint64_t> CopyWindow(const McapReader& source, const MessageFilter& window,
                                    McapWriter& out) {
  std::map<uint16_t, uint16_t> ids;
  uint64_t copied = 0;
  RETURN_IF_ERROR(source.ForEachMessage(
      window, [&](const Channel& channel, const Message& message) -> absl::Status {
        const auto [id, added] = ids.try_emplace(channel.id, uint16_t{0});
        if (added) {
          ASSIGN_OR_RETURN(id->second, CopyChannel(source, channel, out));
        }
        Message copy = message;
        copy.channel_id = id->second;
        ++copied;
        return out.Write(copy);
      }));
  return copied;
}

absl::StatusOr<uint64_t> CopySource(const ClipRequest& request, const std::string& path,
                                    McapWriter& out) {
  ASSIGN_OR_RETURN(const McapReader source,
                   McapReader::Open(path, {.truncation = request.truncation}));
  ASSIGN_OR_RETURN(const std::vector<Metadata> of_source, source.ReadMetadata());
  for (const Metadata& metadata : of_source) RETURN_IF_ERROR(out.Write(metadata));
  return CopyWindow(source,
                    {.topics = request.topics,
                     .from_ns = static_cast<uint64_t>(std::max<int64_t>(request.from_ns, 0)),
                     .to_ns = static_cast<uint64_t>(request.to_ns)},
                    out);
}

absl::Status WriteMetadata(const ClipRequest& request, const std::string& sources,
                           McapWriter& out) {
  RETURN_IF_ERROR(out.Write(Metadata{.name = "clip",
                                     .values = {{"sources", sources},
                                                {"from_ns", absl::StrCat(request.from_ns)},
                                                {"to_ns", absl::StrCat(request.to_ns)}}}));
  for (const Metadata& metadata : request.metadata) RETURN_IF_ERROR(out.Write(metadata));
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> WriteTo(const ClipRequest& request, const std::string& path) {
  ASSIGN_OR_RETURN(McapWriter out, McapWriter::Create(path, {}));
  uint64_t copied = 0;
  std::vector<std::string> names;
  for (const std::string& source : request.sources) {
    ASSIGN_OR_RETURN(const uint64_t more, CopySource(request, source, out));
    copied += more;
    names.push_back(FileName(source));
  }
  const std::string sources = absl::StrJoin(names, ",");
  if (copied == 0)
    return absl::NotFoundError(absl::StrFormat("no message was logged from %d to %d ns in %s",
                                               request.from_ns, request.to_ns, sources));
  RETURN_IF_ERROR(WriteMetadata(request, sources, out));
  RETURN_IF_ERROR(out.Close());
  return copied;
}

}  // namespace

absl::StatusOr<uint64_t> WriteClip(const ClipRequest& request) {
  if (request.to_ns < 0 || request.to_ns < request.from_ns)
    return absl::InvalidArgumentError(
        absl::StrFormat("a clip from %d to %d ns has no length", request.from_ns, request.to_ns));
  const std::string unfinished = request.destination + ".partial";
  absl::StatusOr<uint64_t> copied = WriteTo(request, unfinished);
  std::error_code error;
  if (copied.ok()) std::filesystem::rename(unfinished, request.destination, error);
  if (error)
    copied = absl::UnavailableError(
        absl::StrFormat("cannot name the clip %s: %s", request.destination, error.message()));
  std::error_code ignored;
  if (!copied.ok()) std::filesystem::remove(unfinished, ignored);
  return copied;
}

}  // namespace agent::recording
