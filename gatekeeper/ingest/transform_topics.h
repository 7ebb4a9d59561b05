#pragma once

#include <set>
#include <string>

#include "gatekeeper/ingest/recording_file.h"

namespace gatekeeper::ingest {

// Where a robot's transform tree is told. Robots of a fleet have a namespace each, and then their
// tree too: of /r1/front/scan it is on /r1/front/tf, else on /r1/tf, else on /tf. A nearer one is
// not mixed with those above, which may be of other robots. What is fixed is looked for the same
// way by itself: /r1/tf may go with /tf_static. Names without the first '/' are taken as if they
// had it.
struct TransformTopics {
  std::set<std::string> moving;  // /tf
  std::set<std::string> fixed;   // /tf_static
};

// Adds those that `topic` belongs to; those of several topics are read as one tree.
void AddTransformTopics(const RecordingFile& file, const std::string& topic,
                        TransformTopics& topics);

}  // namespace gatekeeper::ingest
