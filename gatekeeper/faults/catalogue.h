#pragma once

#include <memory>
#include <span>
#include <string>

#include "gatekeeper/faults/spec.h"
#include "gatekeeper/faults/stream.h"

namespace gatekeeper::faults {

// What a fault hurts, and so who has to do it: the stream of packets (Stream), or whoever drives
// the replay (the rest).
enum class Hurts {
  kChannel,  // one channel's messages
  kRobot,    // all of them
  kModel,    // the answers of the unit's model
  kLink,     // the link to the gatekeeper
  kSignal,   // what control measures itself: heat, supply, latency
};

enum class Onset {
  kAbrupt,   // everything it does, it does from the onset on
  kGradual,  // by chance, or more and more: when it can be noticed first is later than the onset
};

// One row of the catalogue.
struct Entry {
  const char* id;
  Hurts hurts;
  Onset onset;
  const char* layer;  // circuit | firmware | model: where its cause lies
  const char* what;   // one sentence
  // Of Hurts::kChannel: whether a channel can be hurt like this. Null: every channel can.
  bool (*fits)(const std::string& channel);
  // Null unless packets are hurt.
  std::unique_ptr<Transform> (*make)(const Spec& spec);
};

// All faults that a recording can be replayed with (safety engineering's list in the README), in
// the order in which they are reported. There is no other list.
std::span<const Entry> Catalogue();
const Entry* Find(const std::string& id);  // null: no such fault

}  // namespace gatekeeper::faults
