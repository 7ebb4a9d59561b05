#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/recording/mcap_reader.h"
#include "gatekeeper/ingest/container.h"

namespace gatekeeper::ingest {

// An MCAP file (mcap.dev/spec) of any writer. Opening reads every message once, so that counts and
// CRCs are facts. A file that was cut off is read up to the cut and says so in its notes; other
// damage is kDataLoss.
class McapFile final : public Container {
 public:
  static absl::StatusOr<std::unique_ptr<Container>> Open(const Source& source);

  absl::Status ForEachMessage(const Selection& selection, const Callback& callback) const override;

 private:
  McapFile(Source source, agent::recording::McapReader reader);
  void ListTopics();
  void StateFacts();

  agent::recording::McapReader reader_;
  std::vector<uint32_t> topic_of_;  // by channel id
};

}  // namespace gatekeeper::ingest
