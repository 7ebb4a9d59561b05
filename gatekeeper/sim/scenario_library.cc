#include "gatekeeper/sim/scenario_library.h"

#include <cmath>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/recording/observation_writer.h"
#include "agent/trust/hash.h"

namespace gatekeeper::sim {
namespace {

using agent::base::Nanos;

Nanos At(double seconds) {
  // Recordings start a second after zero: times before it can then still be written.
  return std::chrono::seconds(1) + Nanos(static_cast<int64_t>(std::llround(seconds * 1e9)));
}

absl::Status RecordClip(const EpisodeSpec& episode, const std::string& path) {
  agent::recording::RecordingOptions options;
  options.metadata = {{"world", "hall"},
                      {"condition", Tag(episode.condition)},
                      {"seed", absl::StrFormat("%d", episode.seed)}};
  ASSIGN_OR_RETURN(auto writer, agent::recording::ObservationWriter::Create(path, options));
  absl::Status status;
  v1::Command command;
  RunEpisode(episode, [&](const EpisodeTick& tick) {
    if (!status.ok()) return;
    status = writer.Write(tick.observation, At(tick.seconds));
    command.set_seq(tick.observation.seq());
    command.set_stamp_ns(tick.observation.stamp_ns());
    command.clear_values();
    command.add_values(tick.expert.vx_mps);
    command.add_values(tick.expert.wz_radps);
    if (status.ok()) status = writer.Write(command, At(tick.seconds));
  });
  RETURN_IF_ERROR(status);
  return writer.Close();
}

absl::Status DescribeClip(const EpisodeSpec& episode, const std::string& id,
                          const std::string& folder) {
  ASSIGN_OR_RETURN(const auto digest,
                   agent::trust::Sha256File(absl::StrFormat("%s/%s.mcap", folder, id)));
  const std::string yaml = absl::StrFormat(
      "schema: scenario/1\nid: %s\nrecording: %s.mcap\nsha256: %s\nsegments:\n"
      "  - {from_s: 0, to_s: %g, tags: [%s]}\n",
      id, id, digest.hex(), episode.seconds, Tag(episode.condition));
  return agent::base::OsFiles().WriteDurably(absl::StrFormat("%s/%s.yaml", folder, id), yaml, 0644);
}

}  // namespace

int ClipsOf(Condition condition, const LibrarySpec& spec) {
  switch (condition) {
    case Condition::kClean:
      return spec.clips_per_segment * 2;
    case Condition::kDustyLidar:
      return (spec.clips_per_segment + 1) / 2;
    case Condition::kNarrowAisle:
    case Condition::kCrowd:
      return spec.clips_per_segment;
  }
  return 0;
}

absl::Status RecordLibrary(const LibrarySpec& spec) {
  agent::base::OsFiles files;
  RETURN_IF_ERROR(files.MakeFolders(spec.folder));
  ASSIGN_OR_RETURN(const auto names, files.List(spec.folder));
  if (!names.empty()) {
    return absl::AlreadyExistsError(spec.folder + " is not empty; record into a new folder");
  }
  for (const Condition condition : kConditions) {
    for (int clip = 0; clip < ClipsOf(condition, spec); ++clip) {
      const EpisodeSpec episode{condition, spec.seed * 100'000 + static_cast<uint64_t>(clip),
                                spec.clip_seconds, 0};
      const std::string id = absl::StrFormat("%s-%03d", Tag(condition), clip);
      RETURN_IF_ERROR(RecordClip(episode, absl::StrFormat("%s/%s.mcap", spec.folder, id)));
      RETURN_IF_ERROR(DescribeClip(episode, id, spec.folder));
    }
  }
  return absl::OkStatus();
}

}  // namespace gatekeeper::sim
