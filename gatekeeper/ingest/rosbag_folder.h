#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/container.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::ingest {

// A rosbag2 folder: metadata.yaml and the files that it names, split bags as one recording. The
// files are read for what they hold; where metadata.yaml says otherwise, a note says so. A named
// file that is absent is kNotFound: the recording would silently be shorter.
class RosbagFolder final : public RecordingFile {
 public:
  static absl::StatusOr<std::unique_ptr<RecordingFile>> Open(const std::string& folder);

  const std::vector<Topic>& topics() const override { return topics_; }
  const FileFacts& facts() const override { return facts_; }
  Span span() const override;
  absl::Status ForEachMessage(const Selection& selection, const Callback& callback) const override;

 private:
  struct Part {
    std::unique_ptr<Container> file;
    std::vector<uint32_t> topic_of;  // by the file's own topic id
  };
  struct Stretch {
    int64_t from_ns = 0;
    int64_t to_ns = 0;  // included
  };
  absl::Status AddFile(const std::string& path);
  void TakeTopics(Part& part);
  void TakeFacts();
  void Compare(const nlohmann::json& metadata);
  std::vector<Stretch> Stretches(const Selection& selection) const;
  absl::Status ReadTogether(const std::vector<const Part*>& parts, const Selection& selection,
                            const Callback& callback) const;

  std::string folder_;
  std::vector<Part> parts_;  // in order of their first message
  std::vector<Topic> topics_;
  FileFacts facts_;
};

}  // namespace gatekeeper::ingest
