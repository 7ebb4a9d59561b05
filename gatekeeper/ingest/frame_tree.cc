#include "gatekeeper/ingest/frame_tree.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/nearest_name.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::ingest {
namespace {

constexpr size_t kMostFrames = 4096;  // a humanoid with hands has some hundreds

bool Equal(const Transform& a, const Transform& b) {
  return a.x_m == b.x_m && a.y_m == b.y_m && a.z_m == b.z_m && a.turn.x == b.turn.x &&
         a.turn.y == b.turn.y && a.turn.z == b.turn.z && a.turn.w == b.turn.w;
}

}  // namespace

absl::Status FrameTree::Take(const NamedTransform& told, bool fixed) {
  frames_.insert(told.parent);
  frames_.insert(told.child);
  if (frames_.size() > kMostFrames) {
    return absl::ResourceExhaustedError(absl::StrFormat("%s and %s tell of more than %d frames",
                                                        kMovingTopic, kStaticTopic, kMostFrames));
  }
  const auto [at, is_new] = places_.try_emplace(told.child);
  Place& place = at->second;
  if (is_new) {
    place = {.parent = told.parent, .first = told.transform, .fixed = fixed};
    return absl::OkStatus();
  }
  if (place.parent != told.parent) place.other_parent = told.parent;
  place.fixed = place.fixed || fixed;
  place.changed = place.changed || !Equal(place.first, told.transform);
  place.moved = place.moved || !SamePlace(place.first, told.transform);
  return absl::OkStatus();
}

absl::Status FrameTree::Check(const std::string& child) const {
  const Place& place = places_.at(child);
  if (!place.other_parent.empty()) {
    return absl::DataLossError(
        absl::StrFormat("frame %s sits in two frames, %s and %s: which of them is right, the "
                        "recording does not tell",
                        child, place.parent, place.other_parent));
  }
  if (place.fixed && place.changed) {
    return absl::DataLossError(absl::StrFormat(
        "%s fixes frame %s in %s, and the recording tells of another place there: which of them "
        "is right, it does not tell",
        kStaticTopic, child, place.parent));
  }
  return absl::OkStatus();
}

// The frame first, its root last.
absl::StatusOr<std::vector<std::string>> FrameTree::WayToRoot(const std::string& frame) const {
  std::vector<std::string> way = {frame};
  for (auto at = places_.find(frame); at != places_.end(); at = places_.find(way.back())) {
    if (way.size() > places_.size()) {
      return absl::DataLossError(absl::StrFormat("the frames above %s go round in a ring", frame));
    }
    way.push_back(at->second.parent);
  }
  return way;
}

absl::StatusOr<Chain> FrameTree::Find(const std::string& from, const std::string& to) const {
  Chain chain{.from = from, .to = to, .up = {}, .down = {}};
  if (from == to) return chain;
  for (const std::string& frame : {from, to}) {
    if (Has(frame)) continue;
    const std::string nearest = agent::base::NearestName(frame, {frames_.begin(), frames_.end()});
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s and %s of the recording tell of no frame '%s'%s", kMovingTopic, kStaticTopic, frame,
        nearest.empty() ? std::string() : absl::StrFormat("; did you mean '%s'?", nearest)));
  }
  ASSIGN_OR_RETURN(chain.up, WayToRoot(from));
  ASSIGN_OR_RETURN(chain.down, WayToRoot(to));
  if (chain.up.back() != chain.down.back()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("frames %s and %s do not hang together: one is below %s, the other below "
                        "%s, and the recording has no transform between these",
                        from, to, chain.up.back(), chain.down.back()));
  }
  while (!chain.up.empty() && !chain.down.empty() && chain.up.back() == chain.down.back()) {
    chain.up.pop_back();
    chain.down.pop_back();
  }
  for (const auto* part : {&chain.up, &chain.down}) {
    for (const std::string& child : *part) RETURN_IF_ERROR(Check(child));
  }
  return chain;
}

bool FrameTree::HasMoved(const Chain& chain) const {
  const auto moved = [this](const std::string& child) { return PlaceOf(child).moved; };
  return std::any_of(chain.up.begin(), chain.up.end(), moved) ||
         std::any_of(chain.down.begin(), chain.down.end(), moved);
}

}  // namespace gatekeeper::ingest
