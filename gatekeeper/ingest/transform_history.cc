#include "gatekeeper/ingest/transform_history.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::ingest {
namespace {

// A localisation dates its transforms ahead by up to a second or so; a bag's writer is as late.
constexpr int64_t kAroundNs = 10'000'000'000;

int64_t Earlier(int64_t at_ns) {
  return at_ns < INT64_MIN + kAroundNs ? INT64_MIN : at_ns - kAroundNs;
}
int64_t Later(int64_t at_ns) {
  return at_ns > INT64_MAX - kAroundNs ? INT64_MAX : at_ns + kAroundNs;
}

absl::Status NoneAt(const std::string& parent, const std::string& child, int64_t stamp_ns,
                    const std::string& why) {
  return absl::OutOfRangeError(
      absl::StrFormat("at stamp %.3f s there is no transform from %s to %s: %s",
                      static_cast<double>(stamp_ns) * 1e-9, parent, child, why));
}

// By topic id.
absl::StatusOr<std::map<uint32_t, TransformReader>> MovingReaders(
    const RecordingFile& file, const std::set<std::string>& topics) {
  std::map<uint32_t, TransformReader> readers;
  for (const Topic& topic : file.topics()) {
    if (!topics.contains(topic.name) || !IsTransforms(topic)) continue;
    ASSIGN_OR_RETURN(TransformReader reader, TransformReader::For(topic));
    readers.emplace(topic.id, std::move(reader));
  }
  return readers;
}

}  // namespace

absl::StatusOr<TransformHistory> TransformHistory::Read(const RecordingFile& file,
                                                        const Wanted& wanted,
                                                        const TimeRange& stretch) {
  TransformHistory history;
  if (wanted.frames.empty() || wanted.topics.empty()) return history;
  ASSIGN_OR_RETURN(auto readers, MovingReaders(file, wanted.topics));
  std::vector<NamedTransform> transforms;
  RETURN_IF_ERROR(file.ForEachMessage(
      {.topics = wanted.topics, .from_ns = Earlier(stretch.from_ns), .to_ns = Later(stretch.to_ns)},
      [&](const Topic& topic, const RawMessage& message) -> absl::Status {
        const auto reader = readers.find(topic.id);
        if (reader == readers.end()) return absl::OkStatus();
        RETURN_IF_ERROR(reader->second.Read(message, transforms));
        return history.Keep(transforms, wanted.frames);
      }));
  history.SortByStamp();
  return history;
}

void TransformHistory::SortByStamp() {
  for (auto& [child, told] : told_) {
    std::stable_sort(told.begin(), told.end(),
                     [](const Stamped& a, const Stamped& b) { return a.stamp_ns < b.stamp_ns; });
  }
}

absl::Status TransformHistory::Keep(const std::vector<NamedTransform>& transforms,
                                    const std::set<std::string>& frames) {
  for (const NamedTransform& told : transforms) {
    if (!frames.contains(told.child)) continue;
    told_[told.child].push_back({told.stamp_ns, told.transform});
    ++kept_;
  }
  if (kept_ <= kMostTransforms) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat(
      "the recording moves the frames that are followed more than %d times: cut it into clips with "
      "--every, or a stretch of it with --from and --until",
      kMostTransforms));
}

absl::StatusOr<Transform> TransformHistory::PlaceAt(const FrameTree& tree, const std::string& child,
                                                    int64_t stamp_ns) const {
  const FrameTree::Place& place = tree.PlaceOf(child);
  if (place.fixed) return place.first;
  const auto found = told_.find(child);
  if (found == told_.end()) {
    return NoneAt(place.parent, child, stamp_ns, "none is told within ten seconds of this stretch");
  }
  const std::vector<Stamped>& told = found->second;
  // The first after the stamp; of several of one stamp the last one counts.
  const auto after = std::upper_bound(
      told.begin(), told.end(), stamp_ns,
      [](int64_t at_ns, const Stamped& stamped) { return at_ns < stamped.stamp_ns; });
  if (after == told.begin()) {
    return NoneAt(
        place.parent, child, stamp_ns,
        absl::StrFormat("the first is of %.3f s", static_cast<double>(after->stamp_ns) * 1e-9));
  }
  const Stamped& before = *(after - 1);
  if (before.stamp_ns == stamp_ns) return before.transform;
  if (after == told.end()) {
    if (stamp_ns - before.stamp_ns <= kMostHoldNs) return before.transform;
    return NoneAt(
        place.parent, child, stamp_ns,
        absl::StrFormat("the last is of %.3f s", static_cast<double>(before.stamp_ns) * 1e-9));
  }
  const int64_t gap_ns = after->stamp_ns - before.stamp_ns;
  if (gap_ns > kMostGapNs) {
    return NoneAt(
        place.parent, child, stamp_ns,
        absl::StrFormat("between two of them lie %.1f s", static_cast<double>(gap_ns) * 1e-9));
  }
  return Between(before.transform, after->transform,
                 static_cast<double>(stamp_ns - before.stamp_ns) / static_cast<double>(gap_ns));
}

absl::StatusOr<Transform> TransformHistory::Find(const FrameTree& tree, const Chain& chain,
                                                 int64_t stamp_ns) const {
  // From each end up to the common frame: child in parent, parent in its own, and so on.
  const auto raised = [&](const std::vector<std::string>& way) -> absl::StatusOr<Transform> {
    Transform at;
    for (const std::string& child : way) {
      ASSIGN_OR_RETURN(const Transform place, PlaceAt(tree, child, stamp_ns));
      at = Compose(place, at);
    }
    return at;
  };
  ASSIGN_OR_RETURN(const Transform from, raised(chain.up));
  ASSIGN_OR_RETURN(const Transform to, raised(chain.down));
  return Compose(Inverse(to), from);
}

}  // namespace gatekeeper::ingest
