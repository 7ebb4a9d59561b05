#pragma once

#include <string>

#include "agent/health/reading.h"
#include "proto/health.pb.h"

namespace agent::health {

// As it is recorded.
::gatekeeper::v1::HealthSample ToRecord(const HealthSample& sample, int64_t wall_ms);

// One line for people: what is there, with its numbers, and what stands in the way of the rest,
// e.g. "9.8 W (ina3221), 61.5 degC (cpu-thermal), not throttled; rapl: no permission".
std::string Describe(const HealthSample& sample);

}  // namespace agent::health
