#pragma once

#include <memory>
#include <string>

#include "gatekeeper/faults/spec.h"
#include "gatekeeper/faults/stream.h"

namespace gatekeeper::faults {

// A change of the world whose effect on a command is known without knowing the right command.
struct Relation {
  const char* id;
  const char* what;  // what must follow
  std::unique_ptr<Transform> (*make)(const Spec& spec);
};

// mirror, brighter, darker, nearer, moved_site; null: no such.
const Relation* FindRelation(const std::string& id);

// How far moved_site moves the poses, and so the envelope must move.
inline constexpr double kSiteMovedX_m = 128;
inline constexpr double kSiteMovedY_m = -64;

}  // namespace gatekeeper::faults
