#pragma once

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>

// What tests/mutation/mutate writes into a source file. Every mutant is compiled in; the
// environment variable MUTANT names the one that is awake. With MUTANT_REACHED=FILE a program
// writes down at its end which mutants its tests came by.

namespace mutant {

// A mutant that means nothing for the types it fell upon, such as a text minus a text.
inline constexpr int kVoid = 77;

inline int Awake() {
  static const int id = std::getenv("MUTANT") == nullptr ? 0 : std::atoi(std::getenv("MUTANT"));
  return id;
}

// Written at the end of the program, whichever way it ends short of a crash.
class ReachedLog {
 public:
  static constexpr size_t kMost = 1 << 16;

  ~ReachedLog() {
    std::FILE* file = std::fopen(std::getenv("MUTANT_REACHED"), "w");
    if (file == nullptr) return;
    for (size_t id = 0; id < kMost; ++id) {
      if (reached_[id].load(std::memory_order_relaxed)) std::fprintf(file, "%zu\n", id);
    }
    std::fclose(file);
  }
  void Note(size_t id) { reached_.at(id).store(true, std::memory_order_relaxed); }

 private:
  std::array<std::atomic<bool>, kMost> reached_ = {};
};

inline bool Recording() {
  static const bool on = std::getenv("MUTANT_REACHED") != nullptr;
  return on;
}
inline bool Is(int id) {
  if (Recording()) {
    static ReachedLog log;
    log.Note(static_cast<size_t>(id));
  }
  return Awake() == id;
}

// --- binary operators: `a < b` stands as `a < Less{7} < b`, at the same precedence ---
enum class Op {
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kEqual,
  kUnequal,
  kPlus,
  kMinus,
  kTimes,
  kOver,
  kRest,
  kAnd,
  kOr
};

template <Op op, class L, class R>
decltype(auto) Apply(L&& l, R&& r) {
  if constexpr (op == Op::kLess) return std::forward<L>(l) < std::forward<R>(r);
  if constexpr (op == Op::kLessEqual) return std::forward<L>(l) <= std::forward<R>(r);
  if constexpr (op == Op::kGreater) return std::forward<L>(l) > std::forward<R>(r);
  if constexpr (op == Op::kGreaterEqual) return std::forward<L>(l) >= std::forward<R>(r);
  if constexpr (op == Op::kEqual) return std::forward<L>(l) == std::forward<R>(r);
  if constexpr (op == Op::kUnequal) return std::forward<L>(l) != std::forward<R>(r);
  if constexpr (op == Op::kPlus) return std::forward<L>(l) + std::forward<R>(r);
  if constexpr (op == Op::kMinus) return std::forward<L>(l) - std::forward<R>(r);
  if constexpr (op == Op::kTimes) return std::forward<L>(l) * std::forward<R>(r);
  if constexpr (op == Op::kOver) return std::forward<L>(l) / std::forward<R>(r);
  if constexpr (op == Op::kRest) return std::forward<L>(l) % std::forward<R>(r);
  if constexpr (op == Op::kAnd) return std::forward<L>(l) & std::forward<R>(r);
  if constexpr (op == Op::kOr) return std::forward<L>(l) | std::forward<R>(r);
}

template <Op op, class L, class R>
concept Fits = (op == Op::kLess && requires(L && l, R&& r) { l < r; }) ||
               (op == Op::kLessEqual && requires(L && l, R&& r) { l <= r; }) ||
               (op == Op::kGreater && requires(L && l, R&& r) { l > r; }) ||
               (op == Op::kGreaterEqual && requires(L && l, R&& r) { l >= r; }) ||
               (op == Op::kEqual && requires(L && l, R&& r) { l == r; }) ||
               (op == Op::kUnequal && requires(L && l, R&& r) { l != r; }) ||
               (op == Op::kPlus && requires(L && l, R&& r) { l + r; }) ||
               (op == Op::kMinus && requires(L && l, R&& r) { l - r; }) ||
               (op == Op::kTimes && requires(L && l, R&& r) { l* r; }) ||
               (op == Op::kOver && requires(L && l, R&& r) { l / r; }) ||
               (op == Op::kRest && requires(L && l, R&& r) { l % r; }) ||
               (op == Op::kAnd && requires(L && l, R&& r) { l& r; }) ||
               (op == Op::kOr && requires(L && l, R&& r) { l | r; });

template <Op was, Op... others>
struct Binary {
  int id;  // of the first of `others`
};

template <class Operator, class L>
struct Held {
  std::remove_reference_t<L>* left;  // lives until the end of the full expression
  int id;
};

template <Op other, class Result, class L, class R>
Result Instead(L&& l, R&& r) {
  if constexpr (Fits<other, L, R>) {
    if constexpr (std::is_convertible_v<
                      decltype(Apply<other>(std::forward<L>(l), std::forward<R>(r))), Result>) {
      return static_cast<Result>(Apply<other>(std::forward<L>(l), std::forward<R>(r)));
    }
  }
  std::_Exit(kVoid);
}

template <Op was, Op... others, class L, class R>
auto Evaluate(Held<Binary<was, others...>, L> held, R&& r) {
  using Result =
      std::remove_cvref_t<decltype(Apply<was>(std::forward<L>(*held.left), std::forward<R>(r)))>;
  int id = held.id;
  Result result = Apply<was>(std::forward<L>(*held.left), std::forward<R>(r));
  ((Is(id++)
        ? void(result = Instead<others, Result>(std::forward<L>(*held.left), std::forward<R>(r)))
        : void()),
   ...);
  return result;
}

#define MUTANT_BINARY(op)                                             \
  template <class L, Op... ops>                                       \
  Held<Binary<ops...>, L> operator op(L&& l, Binary<ops...> binary) { \
    return {&l, binary.id};                                           \
  }                                                                   \
  template <Op... ops, class L, class R>                              \
  auto operator op(Held<Binary<ops...>, L> held, R&& r) {             \
    return Evaluate(held, std::forward<R>(r));                        \
  }
MUTANT_BINARY(<)
MUTANT_BINARY(==)
MUTANT_BINARY(+)
MUTANT_BINARY(*)
MUTANT_BINARY(&)
MUTANT_BINARY(|)
#undef MUTANT_BINARY

using Less = Binary<Op::kLess, Op::kLessEqual, Op::kGreaterEqual>;
using LessEqual = Binary<Op::kLessEqual, Op::kLess, Op::kGreater>;
using Greater = Binary<Op::kGreater, Op::kGreaterEqual, Op::kLessEqual>;
using GreaterEqual = Binary<Op::kGreaterEqual, Op::kGreater, Op::kLess>;
using Equal = Binary<Op::kEqual, Op::kUnequal>;
using Unequal = Binary<Op::kUnequal, Op::kEqual>;
using Plus = Binary<Op::kPlus, Op::kMinus>;
using Minus = Binary<Op::kMinus, Op::kPlus>;
using Times = Binary<Op::kTimes, Op::kOver>;
using Over = Binary<Op::kOver, Op::kTimes>;
using Rest = Binary<Op::kRest, Op::kTimes>;
using And = Binary<Op::kAnd, Op::kOr>;
using Or = Binary<Op::kOr, Op::kAnd>;

// --- everything else wraps what it changes ---

// id: always true; id + 1: always false.
template <class T>
bool Condition(int id, T&& value) {
  const bool held = static_cast<bool>(value);
  if (Is(id)) return true;
  if (Is(id + 1)) return false;
  return held;
}

// id: one more; id + 1: zero, or minus one where it was zero.
template <class T>
decltype(auto) Number(int id, const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    if (Is(id)) return static_cast<T>(value + 1);
    if (Is(id + 1)) return value == T{} ? static_cast<T>(-1) : T{};
    return T{value};
  } else {
    if (Is(id) || Is(id + 1)) std::_Exit(kVoid);
    return (value);
  }
}

// id: another value of the type: not, plus one, or what the type is by default.
template <class T>
T Return(int id, T&& value) {
  using Plain = std::remove_cvref_t<T>;
  if (Is(id)) {
    if constexpr (std::is_lvalue_reference_v<T>) {
      std::_Exit(kVoid);
    } else if constexpr (std::is_same_v<Plain, bool>) {
      return !value;
    } else if constexpr (std::is_arithmetic_v<Plain>) {
      return static_cast<Plain>(value + 1);
    } else if constexpr (std::is_default_constructible_v<Plain> && !std::is_enum_v<Plain> &&
                         !std::is_empty_v<Plain>) {
      return Plain{};
    } else {
      std::_Exit(kVoid);
    }
  }
  return std::forward<T>(value);
}

// id: the statement is left out.
inline bool Kept(int id) { return !Is(id); }

// id: the argument after this one stands in its place, and the other way round.
template <class A, class B>
decltype(auto) Either(int id, A&& mine, B&& other) {
  if constexpr (std::is_same_v<A, B>) {
    return Is(id) ? std::forward<B>(other) : std::forward<A>(mine);
  } else {
    if (Is(id)) std::_Exit(kVoid);
    return std::forward<A>(mine);
  }
}

}  // namespace mutant
