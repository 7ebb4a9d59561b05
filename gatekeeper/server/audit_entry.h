#pragma once

#include <string>

#include "gatekeeper/server/fleet_core.h"
#include "proto/fleet.pb.h"

namespace gatekeeper::server {

// One line of the audit trail, still without its place in it.
inline v1::AuditEntry AuditEntryOf(const std::string& actor, const std::string& action,
                                   const std::string& object, const std::string& detail,
                                   Moment now) {
  v1::AuditEntry entry;
  entry.set_wall_ms(now.wall_ms);
  entry.set_actor(actor);
  entry.set_action(action);
  entry.set_object(object);
  entry.set_detail(detail);
  return entry;
}

}  // namespace gatekeeper::server
