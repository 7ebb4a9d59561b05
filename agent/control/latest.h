#pragma once

#include <array>
#include <atomic>
#include <optional>
#include <type_traits>

namespace agent::control {

// Hands the newest value from one thread to another; older ones that nobody took are overwritten.
// Three places, so that neither side ever waits: one is the writer's, one the reader's, and one is
// exchanged between them.
template <class T>
class Latest {
 public:
  static_assert(std::is_trivially_copyable_v<T>);

  void Put(const T& value) {
    places_[writing_] = value;
    writing_ = shared_.exchange(writing_ | kFresh, std::memory_order_acq_rel) & kPlace;
  }
  // The newest value, if it was not taken yet.
  std::optional<T> Take() {
    if ((shared_.load(std::memory_order_relaxed) & kFresh) == 0) return std::nullopt;
    reading_ = shared_.exchange(reading_, std::memory_order_acq_rel) & kPlace;
    return places_[reading_];
  }

 private:
  static constexpr unsigned kPlace = 3;
  static constexpr unsigned kFresh = 4;

  std::array<T, 3> places_{};
  unsigned writing_ = 0;
  unsigned reading_ = 1;
  std::atomic<unsigned> shared_ = 2;
};

}  // namespace agent::control
