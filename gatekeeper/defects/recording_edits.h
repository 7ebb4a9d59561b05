#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/recording/observation_reader.h"

namespace gatekeeper::defects {

// Changes what a recording holds; false: there is nothing in it that this could change.
using EditItems = std::function<bool(std::vector<agent::recording::RecordedItem>&)>;

// Every command 300 ms later than it was given.
bool DelayCommands(std::vector<agent::recording::RecordedItem>& items);
// Left and right of every scan exchanged.
bool MirrorScans(std::vector<agent::recording::RecordedItem>& items);
// The stamps of every channel go 2 s back in the middle of the recording, once and for good.
bool TurnStampsBack(std::vector<agent::recording::RecordedItem>& items);
// No message of this channel at all: scan, odom, image, imu, joints or a signal's name.
EditItems WithoutChannel(const std::string& channel);

// The bytes of the recording after `edit`, in this project's own topics, made beside it in
// `scratch`. kNotFound: there was nothing to change. kResourceExhausted: larger than is sensible.
absl::StatusOr<std::string> RewriteRecording(const std::string& path,
                                             const agent::recording::ChannelMap& channels,
                                             const EditItems& edit, const std::string& scratch);

}  // namespace gatekeeper::defects
