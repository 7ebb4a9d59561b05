#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/model.h"

namespace tests::journeys {

using agent::base::Nanos;

// What the models of one robot did, in order: written by them, read and emptied by the harness.
struct RunLog {
  std::vector<std::string> runs;  // digests
};

// A model whose behaviour is the first word of its bytes:
//   good              drives straight on at 0.3 m/s
//   nan               answers with no number
//   slow              answers every second time too late
//   hung              never answers in time
//   saturating        asks for far more than any policy allows
//   wild-when-driving steers by the turn it measures, with a gain above one: as a shadow beside a
//                     good model it looks tame, in the closed loop it spins up
// kInvalidArgument: none of these words. Fails every run once `*alive` is false.
absl::StatusOr<std::unique_ptr<agent::base::Model>> MakeMarkerModel(
    std::string_view bytes, const agent::base::ModelSignature& signature, const std::string& digest,
    std::shared_ptr<RunLog> log, std::shared_ptr<const bool> alive);

}  // namespace tests::journeys
