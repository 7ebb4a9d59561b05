#include <zlib.h>

#include <algorithm>
#include <limits>

#include "agent/recording/compression.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace agent::recording {
namespace {

uint32_t ByTable(uint32_t crc, std::string_view bytes) {
  uLong running = crc;
  while (!bytes.empty()) {
    const size_t step = std::min<size_t>(bytes.size(), std::numeric_limits<uInt>::max());
    running = crc32(running, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(step));
    bytes.remove_prefix(step);
  }
  return static_cast<uint32_t>(running);
}

#if defined(__x86_64__)
// Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel,
// 2009): a block is replaced by a congruent one further on, by carry-less multiplication. zlib's
// tables run at a third of the rate at which zstd unpacks and at a tenth of lz4's.
constexpr size_t kBlock = 64;  // four registers

struct alignas(16) Fold {
  uint64_t low;   // x^(n+32) mod P, reflected
  uint64_t high;  // x^(n-32) mod P, reflected
};
constexpr Fold kBy512{0x154442bd4, 0x1c6e41596};
constexpr Fold kBy128{0x1751997d0, 0x0ccaa009e};

__attribute__((target("pclmul"))) __m128i Forward(__m128i block, __m128i by, __m128i onto) {
  const __m128i low = _mm_clmulepi64_si128(block, by, 0x00);
  const __m128i high = _mm_clmulepi64_si128(block, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), onto);
}

__m128i Lane(std::string_view bytes, size_t lane) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data()) + lane);
}

__attribute__((target("pclmul"))) uint32_t ByFolding(uint32_t crc, std::string_view bytes) {
  __m128i a = _mm_xor_si128(Lane(bytes, 0), _mm_cvtsi32_si128(static_cast<int>(~crc)));
  __m128i b = Lane(bytes, 1);
  __m128i c = Lane(bytes, 2);
  __m128i d = Lane(bytes, 3);
  bytes.remove_prefix(kBlock);
  const __m128i by512 = _mm_load_si128(reinterpret_cast<const __m128i*>(&kBy512));
  for (; bytes.size() >= kBlock; bytes.remove_prefix(kBlock)) {
    a = Forward(a, by512, Lane(bytes, 0));
    b = Forward(b, by512, Lane(bytes, 1));
    c = Forward(c, by512, Lane(bytes, 2));
    d = Forward(d, by512, Lane(bytes, 3));
  }
  const __m128i by128 = _mm_load_si128(reinterpret_cast<const __m128i*>(&kBy128));
  a = Forward(Forward(Forward(a, by128, b), by128, c), by128, d);
  char rest[sizeof(a)];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), a);
  // The first CRC is in `rest` already: the table begins from an empty register.
  return ByTable(ByTable(UINT32_MAX, {rest, sizeof(rest)}), bytes);
}
#endif

}  // namespace

uint32_t Crc32(uint32_t crc, std::string_view bytes) {
#if defined(__x86_64__)
  static const bool folds = __builtin_cpu_supports("pclmul");
  if (folds && bytes.size() >= kBlock) return ByFolding(crc, bytes);
#endif
  return ByTable(crc, bytes);
}

}  // namespace agent::recording
