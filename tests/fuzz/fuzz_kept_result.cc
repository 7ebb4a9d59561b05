#include "agent/recording/compression.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/digest_bytes.h"
#include "gatekeeper/gates/kept_result.h"
#include "gatekeeper/gates/scenario_library.h"
#include "google/protobuf/stubs/logging.h"
#include "tests/fuzz/target.h"

// A result from a cache that others write to: its bytes, and what is in them with mark, digest and
// compression made good.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 65'536, .per_input_byte = 64};

namespace {

namespace gates = gatekeeper::gates;
namespace v1 = gatekeeper::v1;

gates::ResultKey Key() {
  const agent::base::Digest digest = agent::trust::Sha256("a unit");
  return {.unit = digest,
          .scenario = digest,
          .engine = "1.27.0/cpu/x86-64/avx2",
          .program = digest,
          .variant = "replay",
          .run = 1};
}

std::string Packed() {
  gates::Replay replay;
  for (int i = 0; i < 3; ++i) {
    v1::TickRecord& tick = replay.ticks.emplace_back();
    tick.set_now_ns(1'000'000'000 + i * 50'000'000);
    tick.add_raw(0.5);
    tick.add_enforced(0.4);
    tick.set_state("NOMINAL");
  }
  v1::KeptResult result = gates::Pack(replay);
  result.set_key(Key().Text());
  return result.SerializeAsString();
}

std::string Sealed(std::string_view plain) {
  const std::string packed =
      *agent::recording::Compress(agent::recording::Compression::kZstd, plain);
  return "GKRESULT1\n" + std::string(gates::View(agent::trust::Sha256(packed))) + packed;
}

void Open(std::string_view bytes) {
  const auto opened = gates::OpenResult(Key(), bytes);
  if (!opened.ok()) {
    fuzz::Check(opened.status().code() == absl::StatusCode::kDataLoss ||
                    opened.status().code() == absl::StatusCode::kResourceExhausted,
                "neither damage nor too much");
    return;
  }
  const gates::Scenario scenario;
  gates::Replay replay;
  (void)gates::Unpack(*opened, scenario, replay);
  v1::ClosedLoopRun drive;
  (void)gates::Unpack(*opened, scenario, drive);
  v1::HurtDrive hurt;
  (void)gates::Unpack(*opened, scenario, hurt);
  v1::RelationCheck check;
  (void)gates::Unpack(*opened, scenario, check);
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  // It tells the terminal of every name that is no UTF-8.
  google::protobuf::SetLogHandler(nullptr);
  const std::string plain = Packed();
  v1::KeptResult other;
  other.set_key(Key().Text());
  return {plain, Sealed(plain), other.SerializeAsString()};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = fuzz::Text(data, size);
  Open(input);
  std::string sealed;
  {
    const fuzz::Unmeasured sealing;
    sealed = Sealed(input);
  }
  Open(sealed);
  return 0;
}
