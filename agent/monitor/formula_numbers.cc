#include <algorithm>
#include <string>

#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "agent/monitor/formula_parser.h"

// The arithmetic in a formula's comparisons.

namespace agent::monitor {
namespace {

constexpr std::string_view kReserved[] = {"and",    "or",         "not",          "until", "since",
                                          "always", "eventually", "historically", "once"};

}  // namespace

absl::StatusOr<FormulaParser::Part> FormulaParser::Sum() {
  ASSIGN_OR_RETURN(Part left, Product());
  while (At("+") || At("-")) {
    const Step::Kind kind = At("+") ? Step::Kind::kAdd : Step::Kind::kSubtract;
    ++at_;
    ASSIGN_OR_RETURN(const Part right, Product());
    ASSIGN_OR_RETURN(left, Combine(kind, left, right));
  }
  return left;
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Product() {
  ASSIGN_OR_RETURN(Part left, Negative());
  while (At("*")) {
    const size_t column = tokens_[at_++].column;
    ASSIGN_OR_RETURN(const Part right, Negative());
    const bool linear = left.constant || right.constant;
    ASSIGN_OR_RETURN(left, Combine(Step::Kind::kMultiply, left, right));
    if (!linear) return WrongAt(column, "one factor must be a constant");
  }
  return left;
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Negative() {
  if (!At("-")) return Primary();
  const Deeper deeper(depth_);
  const size_t column = tokens_[at_++].column;
  if (deeper.too_deep()) return WrongAt(column, "is nested deeper than %d", kMaxFormulaDepth);
  ASSIGN_OR_RETURN(Part operand, Negative());
  RETURN_IF_ERROR(WantNumber(operand));
  operand.column = column;
  return AddStep({.kind = Step::Kind::kNegate}, operand);
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Primary() {
  const Token token = tokens_[at_];
  if (Take("(")) {
    ASSIGN_OR_RETURN(Part inner, Implication());
    RETURN_IF_ERROR(Expect(")", "what was opened"));
    inner.column = token.column;
    return inner;
  }
  const Part here{.constant = token.kind == Token::Kind::kNumber,
                  .begin = formula_.steps_.size(),
                  .height = 1,
                  .column = token.column};
  if (token.kind == Token::Kind::kNumber) {
    ++at_;
    return AddStep({.kind = Step::Kind::kNumber, .number = token.number}, here);
  }
  if (Take("abs")) return Call(Step::Kind::kAbs);
  if (Take("min")) return Call(Step::Kind::kMin);
  if (Take("max")) return Call(Step::Kind::kMax);
  const bool name =
      token.kind == Token::Kind::kName &&
      std::find(std::begin(kReserved), std::end(kReserved), token.text) == std::end(kReserved);
  if (!name) {
    return WrongAt(token.column, "expected a signal, a number or '(', found %s", Found());
  }
  const auto signal = std::find(signals_.begin(), signals_.end(), token.text);
  if (signal == signals_.end()) {
    return WrongAt(token.column, "there is no signal '%s'; there are: %s", token.text,
                   absl::StrJoin(signals_, ", "));
  }
  ++at_;
  return AddStep(
      {.kind = Step::Kind::kSignal, .signal = static_cast<size_t>(signal - signals_.begin())},
      here);
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Call(Step::Kind kind) {
  const size_t column = tokens_[at_ - 1].column;
  RETURN_IF_ERROR(Expect("(", "what it is of"));
  ASSIGN_OR_RETURN(Part first, Implication());
  RETURN_IF_ERROR(WantNumber(first));
  if (kind == Step::Kind::kAbs) {
    ASSIGN_OR_RETURN(first, AddStep({.kind = kind}, first));
  } else {
    RETURN_IF_ERROR(Expect(",", "the second of two numbers"));
    ASSIGN_OR_RETURN(const Part second, Implication());
    ASSIGN_OR_RETURN(first, Combine(kind, first, second));
  }
  RETURN_IF_ERROR(Expect(")", "what was opened"));
  first.column = column;
  return first;
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Combine(Step::Kind kind, const Part& left,
                                                           const Part& right) {
  RETURN_IF_ERROR(WantNumber(left));
  RETURN_IF_ERROR(WantNumber(right));
  Part both = left;
  both.constant = left.constant && right.constant;
  both.height = std::max(left.height, right.height + 1);
  if (both.height > kMaxFormulaStack) {
    return WrongAt(right.column,
                   "waits with more than %d numbers at once: add or nest from the left",
                   kMaxFormulaStack);
  }
  return AddStep({.kind = kind}, both);
}

absl::StatusOr<FormulaParser::Part> FormulaParser::AddStep(const Step& step, const Part& part) {
  if (formula_.steps_.size() >= kMaxFormulaSteps) {
    return WrongAt(part.column, "has more than %d steps of arithmetic", kMaxFormulaSteps);
  }
  formula_.steps_.push_back(step);
  return part;
}

}  // namespace agent::monitor
