#include "tests/support/importers/tub.h"

#include <chrono>
#include <map>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/recording/observation_writer.h"
#include "tests/support/importers/archive.h"

namespace tests {
namespace {

namespace v1 = ::gatekeeper::v1;
using agent::recording::ObservationWriter;

constexpr std::chrono::milliseconds kPeriod{50};

struct Frame {
  std::string image;
  double throttle;
  double steering;
};

// catalog_*.catalog: one JSON object a line.
absl::Status ReadCatalog(std::string_view text, std::map<size_t, Frame>& frames) {
  const absl::string_view all(text.data(), text.size());
  for (const absl::string_view line : absl::StrSplit(all, '\n', absl::SkipEmpty())) {
    ASSIGN_OR_RETURN(const nlohmann::json json,
                     agent::base::ParseStrictJson({line.data(), line.size()}, "catalog"));
    if (!json.contains("_index") || !json.contains("cam/image_array"))
      return absl::DataLossError("a catalog line has no _index or image");
    frames[json["_index"].get<size_t>()] = {json["cam/image_array"].get<std::string>(),
                                            json.value("user/throttle", 0.0),
                                            json.value("user/angle", 0.0)};
  }
  return absl::OkStatus();
}

absl::Status WriteFrame(size_t index, const Frame& frame, std::string_view jpeg,
                        ObservationWriter& out) {
  const agent::base::Nanos at = kPeriod * index;
  v1::Observation packet;
  packet.set_seq(index + 1);
  packet.set_stamp_ns(at.count());
  packet.set_network_up(true);
  RETURN_IF_ERROR(out.WriteJpeg(packet, at.count(), jpeg, at));
  v1::Command driven;
  driven.set_seq(index + 1);
  driven.set_stamp_ns(at.count());
  driven.add_values(frame.throttle);
  driven.add_values(frame.steering);
  return out.Write(driven, at);
}

struct Tub {
  std::map<size_t, Frame> frames;  // by index
  std::map<std::string, std::string_view, std::less<>> images;
};

absl::StatusOr<Tub> ReadTub(std::string_view archive) {
  Tub tub;
  const auto read = [&tub](std::string_view name, std::string_view content) {
    if (name.ends_with(".catalog")) return ReadCatalog(content, tub.frames);
    if (name.ends_with(".jpg")) tub.images.emplace(name.substr(name.rfind('/') + 1), content);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(ForEachTarFile(archive, read));
  for (const auto& [index, frame] : tub.frames)
    if (!tub.images.contains(frame.image))
      return absl::NotFoundError(absl::StrFormat("frame %d has no image %s", index, frame.image));
  return tub;
}

}  // namespace

absl::StatusOr<size_t> ImportTub(const std::string& tar_gz, const std::string& mcap) {
  ASSIGN_OR_RETURN(const std::string archive, ReadGzip(tar_gz));
  ASSIGN_OR_RETURN(const Tub tub, ReadTub(archive));
  ASSIGN_OR_RETURN(ObservationWriter out, ObservationWriter::Create(mcap));
  for (const auto& [index, frame] : tub.frames)
    RETURN_IF_ERROR(WriteFrame(index, frame, tub.images.at(frame.image), out));
  RETURN_IF_ERROR(out.Close());
  return tub.frames.size();
}

}  // namespace tests
