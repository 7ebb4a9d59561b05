#pragma once

#include <map>
#include <string>

#include "google/protobuf/message.h"

namespace gatekeeper::bundle {

// A document as path -> value text. Elements of lists of messages with an `id` stand under that id
// ("triggers.input_stale.to"), of other lists under their index; polygons are one value each.
std::map<std::string, std::string> Flatten(const google::protobuf::Message& document);

}  // namespace gatekeeper::bundle
