#include "gatekeeper/ingest/transform_topics.h"

#include <algorithm>

#include "gatekeeper/ingest/frame_tree.h"
#include "gatekeeper/ingest/transform_reader.h"

namespace gatekeeper::ingest {
namespace {

void AddNearest(const RecordingFile& file, const std::string& topic, const std::string& name,
                std::set<std::string>& found) {
  for (size_t end = topic.rfind('/'); end != std::string::npos;
       end = end == 0 ? std::string::npos : topic.rfind('/', end - 1)) {
    const std::string wanted = topic.substr(0, end) + name;
    const bool there = std::any_of(
        file.topics().begin(), file.topics().end(),
        [&](const Topic& other) { return other.name == wanted && IsTransforms(other); });
    if (!there) continue;
    found.insert(wanted);
    return;
  }
}

}  // namespace

void AddTransformTopics(const RecordingFile& file, const std::string& topic,
                        TransformTopics& topics) {
  AddNearest(file, topic, kMovingTopic, topics.moving);
  AddNearest(file, topic, kStaticTopic, topics.fixed);
}

}  // namespace gatekeeper::ingest
