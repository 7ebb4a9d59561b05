#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/ingest/frame_tree.h"
#include "gatekeeper/ingest/recording_file.h"

namespace gatekeeper::ingest {

// Of two transforms further apart nobody knows what was in between.
inline constexpr int64_t kMostGapNs = 2'000'000'000;
// So long the last transform holds: what was sent after the last scan may not have been recorded.
inline constexpr int64_t kMostHoldNs = 200'000'000;
// Of moving frames on the chains that are followed, in memory at once: 64 MB, some four hours of
// two of them at 35 Hz.
inline constexpr size_t kMostTransforms = 1'000'000;

// The frames that move, over one stretch of a recording.
class TransformHistory {
 public:
  // What `topics` told of `frames`, received in the stretch and ten seconds around it. kDataLoss
  // for messages that cannot be read, kResourceExhausted beyond kMostTransforms.
  struct Wanted {
    const std::set<std::string>& topics;
    const std::set<std::string>& frames;
  };
  static absl::StatusOr<TransformHistory> Read(const RecordingFile& file, const Wanted& wanted,
                                               const TimeRange& stretch);

  // Brings points of `chain.from` into `chain.to` at that stamp. A moving frame is between its two
  // transforms around the stamp. kOutOfRange says which frame has none in time: before its first,
  // more than kMostHoldNs after its last, or between two more than kMostGapNs apart.
  absl::StatusOr<Transform> Find(const FrameTree& tree, const Chain& chain, int64_t stamp_ns) const;

 private:
  struct Stamped {
    int64_t stamp_ns = 0;
    Transform transform;
  };
  void SortByStamp();
  absl::Status Keep(const std::vector<NamedTransform>& transforms,
                    const std::set<std::string>& frames);
  absl::StatusOr<Transform> PlaceAt(const FrameTree& tree, const std::string& child,
                                    int64_t stamp_ns) const;

  std::map<std::string, std::vector<Stamped>> told_;  // by child, in order of stamps
  size_t kept_ = 0;
};

}  // namespace gatekeeper::ingest
