#include "agent/control/two_slot_file.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/target.h"

// The records of pointer and latch.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 16'384, .per_input_byte = 8};

namespace {

using agent::control::EncodeSlot;

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  return {EncodeSlot({6, "older"}) + EncodeSlot({7, "newer"}),
          EncodeSlot({6, std::string(agent::control::kMaxSlotPayload, 'x')}) +
              std::string(agent::control::kSlotBytes, '\0')};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::Text(data, size);
  const auto slot = agent::control::DecodeSlot(bytes.substr(0, agent::control::kSlotBytes));
  if (slot) fuzz::Check(slot->payload.size() <= agent::control::kMaxSlotPayload, "too long");

  const agent::base::UniqueFd fd = fuzz::MemoryFile(data, size);
  agent::base::OsFiles files;
  agent::control::TwoSlotFile file(files, fuzz::PathOf(fd));
  const auto loaded = file.Load();
  if (!loaded.ok()) return 0;
  fuzz::Check(loaded->has_value(), "a file that is there holds no record and no fault");
  const auto written = EncodeSlot(**loaded);
  fuzz::Check(agent::control::DecodeSlot(written).has_value(), "what was read cannot be written");
  return 0;
}
