#include "agent/base/digest.h"
#include "gatekeeper/source/lfs_pointer.h"
#include "tests/fuzz/target.h"

// What a commit holds in place of a large file: whoever may commit writes it.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 8'192, .per_input_byte = 8};

namespace {

std::string Pointer(const std::string& oid, uint64_t size) {
  return "version https://git-lfs.github.com/spec/v1\noid sha256:" + oid + "\nsize " +
         std::to_string(size) + "\n";
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  const std::string oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
  return {Pointer(oid, 12345), Pointer(std::string(64, '0'), 0),
          "version https://git-lfs.github.com/spec/v1\next-0-foo sha256:" + oid +
              "\noid sha256:" + oid + "\nsize 18446744073709551615\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto pointer = gatekeeper::source::ParseLfsPointer(fuzz::Text(data, size));
  if (!pointer) return 0;
  fuzz::Check(size <= 1024, "a pointer larger than the specification allows");
  fuzz::Check(agent::base::Digest::Parse(pointer->oid).ok(), "no path may be made of this oid");
  const auto again = gatekeeper::source::ParseLfsPointer(Pointer(pointer->oid, pointer->size));
  fuzz::Check(again && again->oid == pointer->oid && again->size == pointer->size,
              "what was read, written again, is another pointer");
  return 0;
}
