#include "gatekeeper/ingest/transform_topics.h"

#include <algorithm>

#include "gatekeeper/ingest/frame_tree.h"
#include "gatekeeper/ingest/transform_reader.h"

namespace gatekeeper::ingest {
namespace {

// Some recorders leave the first '/' out.
std::string Whole(const std::string& name) { return name.starts_with('/') ? name : "/" + name; }

void AddNearest(const RecordingFile& file, const std::string& topic, const std::string& name,
                std::set<std::string>& found) {
  const std::string from = Whole(topic);
  for (size_t end = from.rfind('/'); end != std::string::npos;
       end = end == 0 ? std::string::npos : from.rfind('/', end - 1)) {
    const std::string wanted = from.substr(0, end) + name;
    const auto there = std::find_if(
        file.topics().begin(), file.topics().end(),
        [&](const Topic& other) { return Whole(other.name) == wanted && IsTransforms(other); });
    if (there == file.topics().end()) continue;
    found.insert(there->name);
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
