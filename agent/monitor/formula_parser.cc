#include "agent/monitor/formula_parser.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace agent::monitor {
namespace {

constexpr double kMaxWindowS = 3600;  // longer than any manoeuvre; keeps sums of times exact

struct Word {
  std::string_view text;
  Node::Kind kind;
};
constexpr Word kPrefixes[] = {
    {"not", Node::Kind::kNot},
    {"always", Node::Kind::kAlways},
    {"eventually", Node::Kind::kEventually},
    {"historically", Node::Kind::kHistorically},
    {"once", Node::Kind::kOnce},
};
struct Sign {
  std::string_view text;
  Relation relation;
};
constexpr Sign kRelations[] = {
    {"<", Relation::kLess},          {"<=", Relation::kLessEqual}, {">", Relation::kGreater},
    {">=", Relation::kGreaterEqual}, {"==", Relation::kEqual},     {"!=", Relation::kNotEqual},
};

const Sign* RelationAt(const Token& token) {
  for (const Sign& sign : kRelations) {
    if (sign.text == token.text) return &sign;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<Formula> Formula::Parse(std::string_view text, std::span<const std::string> signals,
                                       const Sampling& sampling) {
  return FormulaParser(signals, sampling).Parse(text);
}

FormulaParser::FormulaParser(std::span<const std::string> signals, const Sampling& sampling)
    : signals_(signals) {
  formula_.sampling_ = sampling;
  formula_.signals_ = signals.size();
}

absl::StatusOr<Formula> FormulaParser::Parse(std::string_view text) {
  if (text.size() > kMaxFormulaBytes) {
    return WrongAt(kMaxFormulaBytes + 1, "a formula has at most %d bytes, this one %d",
                   kMaxFormulaBytes, text.size());
  }
  const Sampling& sampling = formula_.sampling_;
  if (sampling.min_gap <= Nanos{0} || sampling.max_gap < sampling.min_gap) {
    return absl::InvalidArgumentError("sampling must have 0 < min_gap <= max_gap");
  }
  formula_.text_ = std::string(text);
  ASSIGN_OR_RETURN(tokens_, Tokens(formula_.text_));
  ASSIGN_OR_RETURN(const Part whole, Implication());
  if (tokens_[at_].kind != Token::Kind::kEnd) {
    return WrongAt(tokens_[at_].column, "the formula should have ended, found %s", Found());
  }
  RETURN_IF_ERROR(WantCondition(whole));
  RETURN_IF_ERROR(CheckCost());
  MarkNegated(whole.node, false);
  return std::move(formula_);
}

absl::Status FormulaParser::CheckCost() const {
  if (formula_.MostKept() <= kMaxFormulaSamples) return absl::OkStatus();
  return WrongAt(1, "its windows hold up to %d samples, at most %d may be kept: shorten them",
                 formula_.MostKept(), kMaxFormulaSamples);
}

void FormulaParser::MarkNegated(size_t index, bool negated) {
  Node& node = formula_.nodes_[index];
  node.negated = negated;
  if (node.kind == Node::Kind::kComparison) return;
  if (HasTwoOperands(node.kind)) MarkNegated(node.right, negated);
  const bool flips = node.kind == Node::Kind::kNot || node.kind == Node::Kind::kImplies;
  MarkNegated(formula_.nodes_[index].left, negated != flips);
}

// --- conditions

absl::StatusOr<FormulaParser::Part> FormulaParser::Implication() {
  const Deeper deeper(depth_);
  if (deeper.too_deep()) {
    return WrongAt(tokens_[at_].column, "is nested deeper than %d", kMaxFormulaDepth);
  }
  ASSIGN_OR_RETURN(Part left, Disjunction());
  if (!Take("->")) return left;
  ASSIGN_OR_RETURN(const Part right, Implication());
  return Join({.kind = Node::Kind::kImplies}, left, right);
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Disjunction() {
  return Chain("or", Node::Kind::kOr, &FormulaParser::Conjunction);
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Conjunction() {
  return Chain("and", Node::Kind::kAnd, &FormulaParser::UntilOrSince);
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Chain(const char* word, Node::Kind kind,
                                                         Level next) {
  ASSIGN_OR_RETURN(Part left, (this->*next)());
  while (Take(word)) {
    ASSIGN_OR_RETURN(const Part right, (this->*next)());
    ASSIGN_OR_RETURN(left, Join({.kind = kind}, left, right));
  }
  return left;
}

absl::StatusOr<FormulaParser::Part> FormulaParser::UntilOrSince() {
  ASSIGN_OR_RETURN(Part left, Prefixed());
  while (At("until") || At("since")) {
    Node node{.kind = At("until") ? Node::Kind::kUntil : Node::Kind::kSince};
    ++at_;
    RETURN_IF_ERROR(Window(node));
    ASSIGN_OR_RETURN(const Part right, Prefixed());
    ASSIGN_OR_RETURN(left, Join(node, left, right));
  }
  return left;
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Prefixed() {
  for (const Word& word : kPrefixes) {
    if (!At(word.text)) continue;
    const Deeper deeper(depth_);
    const size_t column = tokens_[at_].column;
    if (deeper.too_deep()) return WrongAt(column, "is nested deeper than %d", kMaxFormulaDepth);
    ++at_;
    Node node{.kind = word.kind};
    if (IsWindow(word.kind)) RETURN_IF_ERROR(Window(node));
    ASSIGN_OR_RETURN(const Part operand, Prefixed());
    return Join(node, operand, operand);
  }
  return Comparison();
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Comparison() {
  ASSIGN_OR_RETURN(const Part left, Sum());
  const Sign* sign = RelationAt(tokens_[at_]);
  if (sign == nullptr) return left;
  ++at_;
  RETURN_IF_ERROR(WantNumber(left));
  ASSIGN_OR_RETURN(const Part right, Sum());
  RETURN_IF_ERROR(WantNumber(right));
  if (left.constant && right.constant) {
    return WrongAt(left.column, "compares two constants; name a signal");
  }
  if (RelationAt(tokens_[at_]) != nullptr) {
    return WrongAt(tokens_[at_].column, "comparisons do not chain: write a < b and b < c");
  }
  return AddNode({.kind = Node::Kind::kComparison,
                  .relation = sign->relation,
                  .begin = left.begin,
                  .middle = right.begin,
                  .end = formula_.steps_.size()},
                 left.column);
}

absl::Status FormulaParser::Window(Node& node) {
  const size_t column = tokens_[at_].column;
  RETURN_IF_ERROR(Expect("[", "a window in seconds, such as [0,0.5]"));
  ASSIGN_OR_RETURN(node.from, Seconds());
  RETURN_IF_ERROR(Expect(",", "the window's other end"));
  ASSIGN_OR_RETURN(node.to, Seconds());
  RETURN_IF_ERROR(Expect("]", "the end of the window"));
  if (node.to < node.from) return WrongAt(column, "the window ends before it begins");
  const Nanos least = formula_.sampling_.max_gap;
  if (node.from > Nanos{0} && node.to - node.from < least) {
    return WrongAt(column,
                   "a window that does not begin at 0 must be at least %g s long: a shorter "
                   "one may fall between two samples",
                   static_cast<double>(least.count()) * 1e-9);
  }
  return absl::OkStatus();
}

absl::StatusOr<Nanos> FormulaParser::Seconds() {
  const Token& token = tokens_[at_];
  if (token.kind != Token::Kind::kNumber || token.number > kMaxWindowS) {
    return WrongAt(token.column, "expected seconds from 0 to %g, found %s", kMaxWindowS, Found());
  }
  ++at_;
  return Nanos{std::llround(token.number * 1e9)};
}

absl::StatusOr<FormulaParser::Part> FormulaParser::Join(Node node, const Part& left,
                                                        const Part& right) {
  RETURN_IF_ERROR(WantCondition(left));
  RETURN_IF_ERROR(WantCondition(right));
  node.left = left.node;
  node.right = right.node;
  node.horizon = std::max(formula_.nodes_[left.node].horizon, formula_.nodes_[right.node].horizon);
  if (LooksAhead(node.kind)) node.horizon += node.to;
  return AddNode(node, left.column);
}

absl::StatusOr<FormulaParser::Part> FormulaParser::AddNode(const Node& node, size_t column) {
  if (formula_.nodes_.size() >= kMaxFormulaNodes) {
    return WrongAt(column, "has more than %d conditions", kMaxFormulaNodes);
  }
  formula_.nodes_.push_back(node);
  return Part{.condition = true, .node = formula_.nodes_.size() - 1, .column = column};
}

// --- what both kinds share

bool FormulaParser::Take(std::string_view text) {
  if (!At(text)) return false;
  ++at_;
  return true;
}

absl::Status FormulaParser::Expect(std::string_view text, const char* why) {
  if (Take(text)) return absl::OkStatus();
  return WrongAt(tokens_[at_].column, "expected '%s' for %s, found %s", text, why, Found());
}

absl::Status FormulaParser::WantCondition(const Part& part) const {
  if (part.condition) return absl::OkStatus();
  return WrongAt(part.column, "expected a condition, found a number: compare it with something");
}

absl::Status FormulaParser::WantNumber(const Part& part) const {
  if (!part.condition) return absl::OkStatus();
  return WrongAt(part.column, "expected a number, found a condition");
}

std::string FormulaParser::Found() const {
  const Token& token = tokens_[at_];
  if (token.kind == Token::Kind::kEnd) return "the end";
  return absl::StrFormat("'%s'", token.text);
}

}  // namespace agent::monitor
