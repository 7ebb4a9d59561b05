#include "agent/monitor/formula.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace agent::monitor {
namespace {

// Samples in a closed stretch of time, and the gaps between, before and after them.
size_t MostIn(Nanos length, const Sampling& sampling) {
  return static_cast<size_t>(length / sampling.min_gap + length / sampling.max_gap + 4);
}

double Joined(Step::Kind kind, double a, double b) {
  if (kind == Step::Kind::kAdd) return a + b;
  if (kind == Step::Kind::kSubtract) return a - b;
  if (kind == Step::Kind::kMultiply) return a * b;
  if (std::isnan(b)) return b;  // a first one that is none they give back themselves
  return kind == Step::Kind::kMin ? std::min(a, b) : std::max(a, b);
}

// Robustness of `left relation right`, whose sign bit is the truth. Equal infinities are equal.
double Margin(Relation relation, double left, double right) {
  if (left == right) {
    const bool holds = relation == Relation::kLessEqual || relation == Relation::kGreaterEqual ||
                       relation == Relation::kEqual;
    return holds ? 0.0 : -0.0;
  }
  const double rise = right - left;
  if (relation == Relation::kLess || relation == Relation::kLessEqual) return rise;
  if (relation == Relation::kGreater || relation == Relation::kGreaterEqual) return -rise;
  return relation == Relation::kEqual ? -std::abs(rise) : std::abs(rise);
}

}  // namespace

size_t MostInWindow(const Node& node, const Sampling& sampling) {
  return MostIn(node.to - node.from, sampling);
}

size_t MostInGuard(const Node& node, const Sampling& sampling) {
  return MostIn(node.from, sampling);
}

size_t Formula::MostPending() const {
  Nanos reach{};
  for (const Node& node : nodes_) {
    if (!LooksAhead(node.kind)) reach = std::max(reach, node.from);
  }
  return MostIn(root().horizon + reach, sampling_);
}

size_t Formula::MostKept() const {
  size_t most = MostPending() * (nodes_.size() + 3);  // times, gaps and outcomes stand apart
  for (const Node& node : nodes_) {
    if (IsWindow(node.kind)) most += MostInWindow(node, sampling_) + MostInGuard(node, sampling_);
  }
  return most;
}

std::optional<double> Formula::Evaluate(size_t begin, size_t end,
                                        std::span<const Reading> readings) const {
  std::array<double, kMaxFormulaStack> stack{};
  size_t height = 0;
  for (size_t i = begin; i < end; ++i) {
    const Step& step = steps_[i];
    switch (step.kind) {
      case Step::Kind::kNumber:
        stack[height++] = step.number;
        break;
      case Step::Kind::kSignal:
        if (!readings[step.signal]) return std::nullopt;
        stack[height++] = *readings[step.signal];
        break;
      case Step::Kind::kNegate:
        stack[height - 1] = -stack[height - 1];
        break;
      case Step::Kind::kAbs:
        stack[height - 1] = std::abs(stack[height - 1]);
        break;
      default:
        --height;
        stack[height - 1] = Joined(step.kind, stack[height - 1], stack[height]);
    }
  }
  return stack[0];
}

Bounds Formula::Compare(const Node& comparison, std::span<const Reading> readings) const {
  const auto left = Evaluate(comparison.begin, comparison.middle, readings);
  const auto right = Evaluate(comparison.middle, comparison.end, readings);
  if (!left || !right) return kUnknown;
  if (std::isnan(*left) || std::isnan(*right)) {
    return comparison.negated ? kSurelyTrue : kSurelyFalse;
  }
  const double margin = Margin(comparison.relation, *left, *right);
  return {margin, margin};
}

}  // namespace agent::monitor
