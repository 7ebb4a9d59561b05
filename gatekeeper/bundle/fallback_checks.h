#pragma once

#include <string>
#include <vector>

#include "proto/fallback.pb.h"

namespace gatekeeper::bundle {

// A finding before it has a file and line: `path` is a place in the document.
struct Finding {
  std::string rule;
  std::string path;
  std::string message;
};

// S2 every state has a way to a minimal risk condition; S3 no dead state, no shadowed trigger;
// S4 `else` and `then` strictly raise the rank; S5 stops complete within mrc_within_ms;
// S13 the emergency stop button is wired to a persistent latch.
std::vector<Finding> CheckFallback(const v1::FallbackRules& rules);

}  // namespace gatekeeper::bundle
