#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/digest.h"
#include "gatekeeper/gates/replay.h"
#include "proto/evidence.pb.h"

namespace gatekeeper::gates {

// All that decides the result of a job, measured times apart. What is not in here may not decide.
struct ResultKey {
  agent::base::Digest unit;
  agent::base::Digest scenario;  // of its file, which names the recording's
  std::string engine;            // numerics key of what runs the model
  agent::base::Digest program;   // of the gatekeeper that replays and judges
  std::string variant;
  uint32_t run = 0;

  std::string Text() const;
};

// SHA-256 of the running program's file.
absl::StatusOr<agent::base::Digest> ProgramDigest();

// Results that need not be made again. Both calls come from several threads at once.
class KeptResults {
 public:
  virtual ~KeptResults() = default;
  // Nothing when there is none, or none that may be believed.
  virtual std::optional<v1::KeptResult> Find(const ResultKey& key) = 0;
  virtual void Keep(const ResultKey& key, const v1::KeptResult& result) = 0;
};

// A replay in whole and back. Unpack: kDataLoss when the parts contradict one another, or when the
// ticks do not give the digest that stands for them.
v1::KeptResult Pack(const Replay& replay);
absl::Status Unpack(const v1::KeptResult& kept, const Scenario& scenario, Replay& replay);
v1::KeptResult Pack(const v1::ClosedLoopRun& drive);
absl::Status Unpack(const v1::KeptResult& kept, const Scenario& scenario, v1::ClosedLoopRun& drive);
v1::KeptResult Pack(const v1::HurtDrive& drive);
absl::Status Unpack(const v1::KeptResult& kept, const Scenario& scenario, v1::HurtDrive& drive);
v1::KeptResult Pack(const v1::RelationCheck& check);
absl::Status Unpack(const v1::KeptResult& kept, const Scenario& scenario, v1::RelationCheck& check);

// As bytes: a mark, the SHA-256 of the rest, the result under zstd. Opened under another key than
// it was sealed with, or with one bit changed, it is kDataLoss; above kMaxResult
// kResourceExhausted.
inline constexpr uint64_t kMaxResult = uint64_t{1} << 30;  // 500,000 ticks of 2 kB
absl::StatusOr<std::string> SealResult(const ResultKey& key, v1::KeptResult result);
absl::StatusOr<v1::KeptResult> OpenResult(const ResultKey& key, std::string_view bytes);

}  // namespace gatekeeper::gates
