#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/ingest/transform_reader.h"

namespace gatekeeper::ingest {

// The topics that a robot's transform tree is told on. What /tf_static tells holds for all time,
// also before it was told; what /tf tells holds at its stamp.
inline constexpr char kMovingTopic[] = "/tf";
inline constexpr char kStaticTopic[] = "/tf_static";

// From one frame to another over their nearest common one: the frames on the way whose place in
// their parent is asked for.
struct Chain {
  std::string from;               // whose points are brought ...
  std::string to;                 // ... into this frame
  std::vector<std::string> up;    // from `from` on, before the common frame
  std::vector<std::string> down;  // from `to` on, before the common frame
};

// Which frame sits in which, by all that a recording told of it.
class FrameTree {
 public:
  struct Place {
    std::string parent;
    Transform first;       // as it was told first
    bool fixed = false;    // by /tf_static
    bool changed = false;  // it was told otherwise later
    bool moved = false;    // and by more than nobody sees (SamePlace)
    std::string other_parent;
  };

  // kResourceExhausted beyond 4096 frames.
  absl::Status Take(const NamedTransform& told, bool fixed);

  bool empty() const { return places_.empty(); }
  bool Has(const std::string& frame) const { return frames_.contains(frame); }
  const std::set<std::string>& frames() const { return frames_; }
  const Place& PlaceOf(const std::string& child) const { return places_.at(child); }

  // kInvalidArgument names the frame that the recording does not tell of, with the nearest, or the
  // two that do not hang together; kDataLoss a frame on the way that has two parents, or that was
  // fixed in two places. The chain from a frame to itself is always there.
  absl::StatusOr<Chain> Find(const std::string& from, const std::string& to) const;

  bool HasMoved(const Chain& chain) const;  // a frame on the way, by what was told of it

 private:
  absl::StatusOr<std::vector<std::string>> WayToRoot(const std::string& frame) const;
  absl::Status Check(const std::string& child) const;

  std::map<std::string, Place> places_;  // by child
  std::set<std::string> frames_;
};

}  // namespace gatekeeper::ingest
