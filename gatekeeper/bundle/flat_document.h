#pragma once

#include <map>
#include <string>

#include "google/protobuf/message.h"

namespace gatekeeper::bundle {

// A document as path -> value text. Elements of lists of messages with an `id` stand under that id
// ("triggers.input_stale.to"), derate rules under their signal, others under their index. Lists of
// numbers or words, polygons and circles are one value each. Messages are "present". Numbers and
// flags that need not be written stand there as 0 and false, so that leaving one out is no change.
using Flat = std::map<std::string, std::string>;
Flat Flatten(const google::protobuf::Message& document);

// The shortest text that reads back as the same number: two numbers differ exactly when their texts
// do.
std::string Number(double value);

// The path of what holds it; empty at the top.
inline std::string Parent(const std::string& path) {
  const size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

}  // namespace gatekeeper::bundle
