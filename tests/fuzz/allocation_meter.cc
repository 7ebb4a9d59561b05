#include "tests/fuzz/allocation_meter.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/fuzz/target.h"

namespace {

// Room for the size before each block, and malloc's alignment kept.
constexpr size_t kBefore = alignof(std::max_align_t);

std::atomic<size_t> live = 0;
std::atomic<size_t> peak = 0;
std::atomic<int> unmeasured = 0;

}  // namespace

// Out of line, because an inlined free() looks to the compiler like a mismatch with `new`.
[[gnu::noinline]] void* operator new(size_t size) {
  void* block = std::malloc(size + kBefore);
  if (block == nullptr) std::abort();
  const size_t counted = unmeasured > 0 ? 0 : size;
  *static_cast<size_t*>(block) = counted;
  const size_t now = live.fetch_add(counted) + counted;
  if (now > peak.load()) peak.store(now);
  return static_cast<char*>(block) + kBefore;
}
// Else a sanitizer would make these blocks, and ours would free them.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  if (p == nullptr) return;
  void* block = static_cast<char*>(p) - kBefore;
  live.fetch_sub(*static_cast<size_t*>(block));
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { operator delete(p); }

namespace fuzz {

Unmeasured::Unmeasured() { ++unmeasured; }
Unmeasured::~Unmeasured() { --unmeasured; }

size_t LiveBytes() { return live.load(); }
size_t PeakBytes() { return peak.load(); }
void ResetPeak() { peak.store(live.load()); }

}  // namespace fuzz
