#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/monitor/bounds.h"

namespace agent::monitor {

using base::Nanos;

// One signal at one sample; absent: nobody knows it, which is not the same as NaN.
using Reading = std::optional<double>;

// How time is sampled. A sample that comes sooner than min_gap after the last one is left out; two
// samples further apart than max_gap leave a gap between them.
struct Sampling {
  Nanos min_gap{};
  Nanos max_gap{};
};

// Bounds of what a formula may cost, whoever wrote it.
inline constexpr size_t kMaxFormulaBytes = 4096;
inline constexpr size_t kMaxFormulaDepth = 32;
inline constexpr size_t kMaxFormulaNodes = 64;   // conditions: comparisons and what joins them
inline constexpr size_t kMaxFormulaSteps = 256;  // arithmetic of all comparisons together
inline constexpr size_t kMaxFormulaStack = 16;   // numbers that a comparison waits with at once
inline constexpr size_t kMaxFormulaSamples = 65'536;  // kept at once (2.5 MB)

enum class Relation { kLess, kLessEqual, kGreater, kGreaterEqual, kEqual, kNotEqual };

// One step of a comparison's arithmetic, in reverse Polish order.
struct Step {
  enum class Kind { kNumber, kSignal, kAdd, kSubtract, kMultiply, kNegate, kAbs, kMin, kMax };
  Kind kind = Kind::kNumber;
  double number = 0;
  size_t signal = 0;
};

struct Node {
  enum class Kind {
    kComparison,
    kNot,
    kAnd,
    kOr,
    kImplies,
    kAlways,
    kEventually,
    kUntil,
    kHistorically,
    kOnce,
    kSince,
  };
  Kind kind = Kind::kComparison;
  size_t left = 0;   // operands: earlier nodes of the formula
  size_t right = 0;  // of the only operand, where there is one
  Nanos from{};      // the window of the temporal kinds, both ends included
  Nanos to{};
  Nanos horizon{};  // the verdict on a sample is known this long after it
  // Comparison: left and right side are steps [begin, middle) and [middle, end).
  Relation relation = Relation::kLess;
  size_t begin = 0;
  size_t middle = 0;
  size_t end = 0;
  bool negated = false;  // stands below an odd number of negations
};

// A requirement in signal temporal logic (past and bounded future), read from text:
//
//   clearance_m < 0.3 -> eventually[0,0.5](vx_mps < 0.2)
//
//   formula    := condition | condition "->" formula         (-> or and, until since, not: loosest
//   first) condition  := not F | F and F | F or F | F until[a,b] F | F since[a,b] F
//               | always[a,b] F | eventually[a,b] F | once[a,b] F | historically[a,b] F
//               | E < E | E <= E | E > E | E >= E | E == E | E != E
//   E          := number | signal | E + E | E - E | number * E | E * number | -E
//               | abs(E) | min(E, E) | max(E, E)
//
// Windows are in seconds from the sample that is judged: forward for always, eventually and until,
// backward for the others. `not` and the temporal words bind to the next comparison or parenthesis.
//
// Semantics: pointwise over the samples in the window; quantitative (Fainekos and Pappas 2009,
// Donze and Maler 2010) with min and max. `f until[a,b] g` holds at t when g holds at a sample s in
// [t+a, t+b] and f at every sample of [t, s); `f since[a,b] g` when g holds at an s in [t-b, t-a]
// and f at every sample of (s, t].
class Formula {
 public:
  // `signals`: the names that a formula may use; their order is that of the readings. Errors are
  // kInvalidArgument and begin with "column N: ".
  static absl::StatusOr<Formula> Parse(std::string_view text, std::span<const std::string> signals,
                                       const Sampling& sampling);

  const std::string& text() const { return text_; }
  const std::vector<Node>& nodes() const { return nodes_; }  // operands before what joins them
  const Node& root() const { return nodes_.back(); }
  const Sampling& sampling() const { return sampling_; }
  size_t signals() const { return signals_; }  // how many readings a sample must have

  // Samples between the newest and the oldest that anything still waits for, at most.
  size_t MostPending() const;
  // Samples kept by all windows and streams together, at most.
  size_t MostKept() const;

  // A comparison at one sample. A reading that is absent makes it unknown. A side that is not a
  // number counts as a violation, also below `not`.
  Bounds Compare(const Node& comparison, std::span<const Reading> readings) const;

 private:
  friend class FormulaParser;  // the one maker
  Formula() = default;
  std::optional<double> Evaluate(size_t begin, size_t end, std::span<const Reading> readings) const;

  std::string text_;
  std::vector<Node> nodes_;
  std::vector<Step> steps_;
  Sampling sampling_;
  size_t signals_ = 0;
};

inline bool IsWindow(Node::Kind kind) { return kind >= Node::Kind::kAlways; }
inline bool LooksAhead(Node::Kind kind) {
  return kind == Node::Kind::kAlways || kind == Node::Kind::kEventually ||
         kind == Node::Kind::kUntil;
}
inline bool HasTwoOperands(Node::Kind kind) {
  return kind == Node::Kind::kAnd || kind == Node::Kind::kOr || kind == Node::Kind::kImplies ||
         kind == Node::Kind::kUntil || kind == Node::Kind::kSince;
}

// Samples and gaps that a window of this node can hold at once, at most.
size_t MostInWindow(const Node& node, const Sampling& sampling);
// The same for the samples between the one that is judged and a window that starts later.
size_t MostInGuard(const Node& node, const Sampling& sampling);

}  // namespace agent::monitor
