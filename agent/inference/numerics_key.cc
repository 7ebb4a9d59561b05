#include "agent/inference/numerics_key.h"

#include "absl/strings/str_format.h"

namespace agent::inference {

std::string NumericsKey::Text() const {
  return absl::StrFormat("%s %s sha256:%s ep=%s opt=%s prepack=%s threads=%d %s", engine, version,
                         sha256, base::NameOf(provider), optimisation, prepack ? "on" : "off",
                         threads, instruction_set);
}

std::string InstructionSet() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl")) {
    return __builtin_cpu_supports("avx512vnni") ? "x86-64/avx512vnni" : "x86-64/avx512";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "x86-64/avx2";
  return "x86-64/sse2";
#elif defined(__aarch64__)
  return "arm64";
#else
  return "other";
#endif
}

}  // namespace agent::inference
