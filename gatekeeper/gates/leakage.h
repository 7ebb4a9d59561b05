#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/gates/fingerprint.h"
#include "gatekeeper/gates/scenario_library.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// Images whose dhashes differ in at most so many of 64 bits are near duplicates.
inline constexpr int kNearBits = 4;

// What a model was trained on, to be asked for what it must not know.
class TrainingSet {
 public:
  // A list as LeakageGate.training_digests describes. kInvalidArgument names the line.
  static absl::StatusOr<TrainingSet> Parse(const bundle::Document& list);

  size_t size() const { return contents_.size(); }
  bool Holds(const Fingerprint& fingerprint) const;
  // Least distance in bits to a training image, or -1 when none is within kNearBits.
  int Nearest(uint64_t dhash) const;

 private:
  static constexpr size_t kBands = kNearBits + 1;  // one of them is equal when 4 bits differ

  std::unordered_set<std::string> contents_;  // hex
  std::vector<uint64_t> dhashes_;
  std::array<std::unordered_map<uint64_t, std::vector<uint32_t>>, kBands> bands_;
};

// What was found by looking at every scan and image of the library.
struct LeakageCheck {
  size_t training_samples = 0;
  uint64_t samples = 0;               // of the library, that could be recognised
  uint64_t known = 0;                 // of those, the very samples of the training set
  uint64_t near = 0;                  // images, near duplicates only
  std::vector<v1::Finding> findings;  // the first of each kind in every clip, clip by clip
};

// `intact[i]`: scenario i may be read.
absl::StatusOr<LeakageCheck> CheckLeakage(const bundle::Document& list,
                                          const std::vector<Scenario>& scenarios,
                                          const std::vector<bool>& intact);

// Into the order of the scenarios; those of one scenario keep theirs.
void SortByScenario(std::vector<v1::Finding>& findings);

}  // namespace gatekeeper::gates
