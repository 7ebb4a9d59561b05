#pragma once

#include <string>

namespace gatekeeper::bundle {

// Something that must not be in a unit, before it has a file and line: which rule it breaks and its
// place in the document that was checked.
struct Finding {
  std::string rule;
  std::string path;
  std::string message;
};

}  // namespace gatekeeper::bundle
