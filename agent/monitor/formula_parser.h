#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/monitor/formula.h"
#include "agent/monitor/formula_lexer.h"

namespace agent::monitor {

// Counts how deep the parser stands in itself, whatever way it leaves.
class Deeper {
 public:
  explicit Deeper(size_t& depth) : depth_(depth) { ++depth_; }
  ~Deeper() { --depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  bool too_deep() const { return depth_ > kMaxFormulaDepth; }

 private:
  size_t& depth_;
};

// Recursive descent, one method a level of binding, loosest first. The levels are one ladder for
// conditions and numbers, because after "(" either may come; each level checks what it was given.
class FormulaParser {
 public:
  FormulaParser(std::span<const std::string> signals, const Sampling& sampling);
  absl::StatusOr<Formula> Parse(std::string_view text);

 private:
  // Something read: a condition (a node) or a number (steps from `begin` to the newest).
  struct Part {
    bool condition = false;
    bool constant = false;  // a number without signals
    size_t node = 0;
    size_t begin = 0;
    size_t height = 0;  // numbers that its arithmetic waits with at once
    size_t column = 0;
  };
  using Level = absl::StatusOr<Part> (FormulaParser::*)();

  absl::StatusOr<Part> Implication();  // conditions, in formula_parser.cc
  absl::StatusOr<Part> Disjunction();
  absl::StatusOr<Part> Conjunction();
  absl::StatusOr<Part> UntilOrSince();
  absl::StatusOr<Part> Prefixed();
  absl::StatusOr<Part> Comparison();
  absl::StatusOr<Part> Sum();  // numbers, in formula_numbers.cc
  absl::StatusOr<Part> Product();
  absl::StatusOr<Part> Negative();
  absl::StatusOr<Part> Primary();
  absl::StatusOr<Part> Call(Step::Kind kind);

  absl::StatusOr<Part> Chain(const char* word, Node::Kind kind, Level next);
  absl::Status Window(Node& node);
  absl::StatusOr<Nanos> Seconds();
  absl::StatusOr<Part> Join(Node node, const Part& left, const Part& right);
  absl::StatusOr<Part> AddNode(const Node& node, size_t column);
  absl::StatusOr<Part> AddStep(const Step& step, const Part& part);
  absl::StatusOr<Part> Combine(Step::Kind kind, const Part& left, const Part& right);

  bool At(std::string_view text) const { return tokens_[at_].text == text; }
  bool Take(std::string_view text);
  absl::Status Expect(std::string_view text, const char* why);
  absl::Status WantCondition(const Part& part) const;
  absl::Status WantNumber(const Part& part) const;
  absl::Status CheckCost() const;
  void MarkNegated(size_t node, bool negated);
  std::string Found() const;

  std::span<const std::string> signals_;
  Formula formula_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  size_t depth_ = 0;
};

}  // namespace agent::monitor
