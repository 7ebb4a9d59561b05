#include "gatekeeper/gates/corpus.h"
#include "tests/fuzz/target.h"

// corpus.lock and its earlier texts, of a policy repository: whoever may merge there wrote them.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 131'072, .per_input_byte = 512};

std::vector<std::string> fuzz::Seeds() {
  const std::string digest(64, 'a');
  return {digest + " clip\n", digest + " one\n" + digest + " two\n\n" + digest + " three",
          digest + "  clip\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using gatekeeper::gates::CorpusFiles;
  const std::string text(fuzz::Text(data, size));
  // A folder without scenarios: all that the lock names is missing.
  const CorpusFiles files{.folder = "tests/fuzz",
                          .name = "corpus",
                          .lock = text,
                          .earlier_locks = {text},
                          .no_history = {},
                          .pinned = true};
  const auto corpus = gatekeeper::gates::CheckCorpus(files, "");
  if (!corpus.ok()) {
    fuzz::Check(corpus.status().code() == absl::StatusCode::kInvalidArgument,
                "not the writer's fault");
    fuzz::Check(corpus.status().message().substr(0, 12) == "corpus.lock:",
                "an error without its place");
    return 0;
  }
  fuzz::Check(corpus->scenarios.empty() && corpus->unlocked.empty(), "clips from nowhere");
  fuzz::Check(corpus->missing.size() <= 2 * (size / 66 + 1), "more clips than lines");
  return 0;
}
