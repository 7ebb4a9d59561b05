#pragma once

#include <string>

#include "gatekeeper/defects/audit.h"

namespace gatekeeper::defects {

// Rates by where the defects were seeded, how many each gate killed, and every survivor.
std::string AuditText(const Audit& audit, double floor);
// The same with every defect and its killers.
std::string AuditJson(const Audit& audit, double floor);

}  // namespace gatekeeper::defects
