#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/monitor/formula.h"
#include "agent/monitor/formula_lexer.h"
#include "gmock/gmock.h"
#include "tests/agent/monitor/sampling.h"
#include "tests/support/status_matchers.h"

namespace agent::monitor {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::tests::IsOk;
using ::tests::StatusIs;

const std::vector<std::string> kNames = {"clearance_m", "vx_mps", "stop", "joint.1"};

absl::StatusOr<Formula> Parse(std::string_view text) {
  return Formula::Parse(text, kNames, kSampling);
}

// The formula with every parenthesis written out.
std::string Shape(const Formula& formula, size_t index) {
  const Node& node = formula.nodes()[index];
  static const char* const kWords[] = {"",       "not",        "and",   "or",           "->",
                                       "always", "eventually", "until", "historically", "once",
                                       "since"};
  if (node.kind == Node::Kind::kComparison) return "c";
  const std::string left = Shape(formula, node.left);
  const std::string word = kWords[static_cast<size_t>(node.kind)];
  if (!HasTwoOperands(node.kind)) return absl::StrCat(word, "(", left, ")");
  return absl::StrCat("(", left, " ", word, " ", Shape(formula, node.right), ")");
}

std::string Shape(std::string_view text) {
  const auto formula = Parse(text);
  return formula.ok() ? Shape(*formula, formula->nodes().size() - 1)
                      : std::string(formula.status().message());
}

Bounds Compare(std::string_view text, std::vector<Reading> readings) {
  const auto formula = Parse(text);
  EXPECT_THAT(formula, IsOk());
  return formula->Compare(formula->root(), readings);
}

TEST(FormulaTest, BindsFromTheLoosestToTheTightest) {
  EXPECT_EQ(Shape("stop > 0 -> stop > 1 or stop > 2 and stop > 3 until[0,1] stop > 4"),
            "(c -> (c or (c and (c until c))))");
  EXPECT_EQ(Shape("stop > 0 -> stop > 1 -> stop > 2"), "(c -> (c -> c))");
  EXPECT_EQ(Shape("stop > 0 and stop > 1 and stop > 2"), "((c and c) and c)");
  EXPECT_EQ(Shape("not stop > 0 and once[0,1] stop > 1"), "(not(c) and once(c))");
  EXPECT_EQ(Shape("always[0,1] not eventually[0,1] stop > 0"), "always(not(eventually(c)))");
  EXPECT_EQ(Shape("(stop > 0 since[0,1] stop > 1) or historically[0,2](stop > 2)"),
            "((c since c) or historically(c))");
}

TEST(FormulaTest, AddsUpHorizonsOfTheFutureOnly) {
  const auto formula = Parse("once[0,9](always[0,2](stop > 0 -> eventually[0,0.5](vx_mps < 1)))");
  ASSERT_THAT(formula, IsOk());
  EXPECT_EQ(formula->root().horizon, milliseconds(2500));
  EXPECT_EQ(formula->signals(), kNames.size());
}

TEST(FormulaTest, ComparesLinearExpressions) {
  const std::vector<Reading> readings = {2.0, -3.0, 1.0, 0.5};
  const auto margin = [&](std::string_view text) { return Compare(text, readings).low; };
  EXPECT_EQ(margin("clearance_m < 5"), 3);
  EXPECT_EQ(margin("clearance_m > 5"), -3);
  EXPECT_EQ(margin("2 * clearance_m + vx_mps - stop > 0"), 0.0);
  EXPECT_EQ(margin("(1 + 1) * clearance_m > clearance_m * (3 - 2)"), 2);
  EXPECT_EQ(margin("10 - (clearance_m - 1) * 3 > 0"), 7);
  EXPECT_EQ(margin("10 - 2 - 3 > 0 * stop"), 5);
  EXPECT_EQ(margin("-vx_mps > 1e0"), 2);
  EXPECT_EQ(margin("--vx_mps > 0"), -3);
  EXPECT_EQ(margin("abs(vx_mps) > .5"), 2.5);
  EXPECT_EQ(margin("min(clearance_m, vx_mps) > max(stop, joint.1)"), -4);
  EXPECT_EQ(margin("max(clearance_m, vx_mps) > min(stop, joint.1)"), 1.5);
  EXPECT_EQ(margin("stop == 1"), 0);
  EXPECT_EQ(margin("stop == 3"), -2);
  EXPECT_EQ(margin("stop != 3"), 2);
}

TEST(FormulaTest, SaysOnWhichSideOfEveryComparisonEqualityLies) {
  const std::vector<std::pair<std::string, std::vector<bool>>> table = {
      // below, at, above
      {"stop < 1", {true, false, false}},  {"stop <= 1", {true, true, false}},
      {"stop > 1", {false, false, true}},  {"stop >= 1", {false, true, true}},
      {"stop == 1", {false, true, false}}, {"stop != 1", {true, false, true}},
  };
  for (const auto& [text, holds] : table) {
    for (size_t i = 0; i < 3; ++i) {
      const double side = i == 1 ? 1.0 : std::nextafter(1.0, i == 0 ? 0.0 : 2.0);
      const Bounds bounds = Compare(text, {0.0, 0.0, side, 0.0});
      EXPECT_EQ(!std::signbit(bounds.low), holds[i]) << text << " at " << i;
      EXPECT_EQ(bounds.low, bounds.high);
    }
  }
}

TEST(FormulaTest, TellsNotANumberFromAbsent) {
  const double nan = std::nan("");
  EXPECT_EQ(Compare("stop < 1", {0.0, 0.0, nan, 0.0}), kSurelyFalse);
  EXPECT_EQ(Compare("stop > 1", {0.0, 0.0, nan, 0.0}), kSurelyFalse);
  EXPECT_EQ(Compare("stop < vx_mps", {0.0, nan, 0.0, 0.0}), kSurelyFalse);
  EXPECT_EQ(Compare("min(stop, vx_mps) < 1", {0.0, nan, 0.0, 0.0}), kSurelyFalse);
  EXPECT_EQ(Compare("min(vx_mps, stop) < 1", {0.0, nan, 0.0, 0.0}), kSurelyFalse);
  EXPECT_EQ(Compare("max(vx_mps, stop) > -9", {0.0, nan, 0.0, 0.0}), kSurelyFalse);
  EXPECT_EQ(Compare("stop < 1", {0.0, 0.0, std::nullopt, 0.0}), kUnknown);
  EXPECT_EQ(Compare("stop < vx_mps", {0.0, std::nullopt, nan, 0.0}), kUnknown);
  EXPECT_EQ(Compare("stop < 1", {std::nullopt, std::nullopt, 0.0, std::nullopt}).low, 1)
      << "only what it names counts";
}

TEST(FormulaTest, NotANumberViolatesBelowANegationToo) {
  const std::vector<Reading> nan(4, std::nan(""));
  const auto compared = [&](std::string_view text, size_t node) {
    const auto formula = Parse(text);
    return formula->Compare(formula->nodes()[node], nan);
  };
  EXPECT_EQ(compared("not stop < 1", 0), kSurelyTrue);
  EXPECT_EQ(compared("not not stop < 1", 0), kSurelyFalse);
  EXPECT_EQ(compared("stop < 1 -> stop < 2", 0), kSurelyTrue);
  EXPECT_EQ(compared("stop < 1 -> stop < 2", 1), kSurelyFalse);
  EXPECT_EQ(compared("not (stop < 1 -> stop < 2)", 0), kSurelyFalse);
  EXPECT_EQ(compared("not (stop < 1 until[0,1] stop < 2)", 1), kSurelyTrue);
}

TEST(FormulaTest, InfinitiesCompareAsNumbers) {
  EXPECT_EQ(Compare("stop < vx_mps", {0.0, kInfinity, 1.0, 0.0}), kSurelyTrue);
  EXPECT_EQ(Compare("stop <= vx_mps", {0.0, kInfinity, kInfinity, 0.0}).low, 0.0);
  EXPECT_EQ(Compare("stop - vx_mps < 1", {0.0, kInfinity, kInfinity, 0.0}), kSurelyFalse)
      << "their difference is not a number";
}

TEST(FormulaTest, RefusesWhatItDoesNotUnderstandAndSaysWhere) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", "column 1: expected a signal, a number or '(', found the end"},
      {"stop", "column 1: expected a condition, found a number"},
      {"stop < ", "column 8: expected a signal"},
      {"stop < 1 1", "column 10: the formula should have ended, found '1'"},
      {"-stop", "column 1: expected a condition, found a number"},
      {"abs(stop)", "column 1: expected a condition, found a number"},
      {"(stop < 1) + 2", "column 1: expected a number, found a condition"},
      {"(stop < 1) < 2", "column 1: expected a number, found a condition"},
      {"1 + 1 < 2", "column 1: compares two constants"},
      {"always[0,3600](stop < 1)", "column 1: its windows hold up to"},
      {"stop < 1 < 2", "column 10: comparisons do not chain"},
      {"1 < 2", "column 1: compares two constants"},
      {"speed < 2", "column 1: there is no signal 'speed'; there are: clearance_m, vx_mps, stop"},
      {"stop * vx_mps < 2", "column 6: one factor must be a constant"},
      {"(stop < 1) + 2 < 3", "column 1: expected a number, found a condition"},
      {"2 + (stop < 1) < 3", "column 5: expected a number, found a condition"},
      {"3 < (stop < 1)", "column 5: expected a number, found a condition"},
      {"-(stop < 1) < 2", "column 2: expected a number, found a condition"},
      {"abs(stop < 1) < 2", "column 5: expected a number, found a condition"},
      {"max(stop < 1, 2) < 2", "column 5: expected a number, found a condition"},
      {"max(1, stop < 1) < 2", "column 8: expected a number, found a condition"},
      {"stop and stop < 1", "column 1: expected a condition, found a number"},
      {"stop < 1 and stop", "column 14: expected a condition, found a number"},
      {"not stop", "column 5: expected a condition, found a number"},
      {"(stop < 1", "column 10: expected ')' for what was opened, found the end"},
      {"abs stop < 1", "column 5: expected '(' for what it is of, found 'stop'"},
      {"max(stop) < 1", "column 9: expected ',' for the second of two numbers, found ')'"},
      {"min(stop, 1 < stop", "column 11: expected a number, found a condition"},
      {"min(stop, 1", "column 12: expected ')'"},
      {"abs(stop < 1", "column 5: expected a number"},
      {"always(stop < 1)", "column 7: expected '[' for a window in seconds, such as [0,0.5]"},
      {"always[0 1](stop < 1)", "column 10: expected ',' for the window's other end, found '1'"},
      {"always[0,1(stop < 1)", "column 11: expected ']' for the end of the window, found '('"},
      {"always[-1,1](stop < 1)", "column 8: expected seconds from 0 to 3600, found '-'"},
      {"always[0,stop](stop < 1)", "column 10: expected seconds from 0 to 3600, found 'stop'"},
      {"always[0,3600.1](stop < 1)", "column 10: expected seconds from 0 to 3600"},
      {"always[2,1](stop < 1)", "column 7: the window ends before it begins"},
      {"once[0.1,0.19](stop < 1)",
       "column 5: a window that does not begin at 0 must be at least 0.1 s"},
      {"and < 1", "column 1: expected a signal, a number or '(', found 'and'"},
      {"stop = 1", "column 6: '=' stands in no formula"},
      {"stop < 1 \xff", "column 10: byte 0xff stands in no formula"},
      {std::string("stop < 1\0", 9), "column 9: byte 0x00 stands in no formula"},
      {"stop < 1e999", "column 8: this is no number"},
      {"stop < .", "column 8: this is no number"},
  };
  for (const auto& [text, error] : table) {
    EXPECT_THAT(Parse(text), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(error)))
        << text;
  }
}

TEST(FormulaTest, AcceptsEachBoundAndRefusesWhatIsBeyond) {
  const auto nested = [](size_t depth) {
    return std::string(depth - 1, '(') + "stop < 1" + std::string(depth - 1, ')');
  };
  EXPECT_THAT(Parse(nested(kMaxFormulaDepth)), IsOk());
  EXPECT_THAT(Parse(nested(kMaxFormulaDepth + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is nested deeper than 32")));

  const auto negated = [](size_t times, const char* sign) {
    std::string text;
    for (size_t i = 0; i < times; ++i) text += sign;
    return text;
  };
  EXPECT_THAT(Parse(negated(kMaxFormulaDepth - 1, "not ") + "stop < 1"), IsOk());
  EXPECT_THAT(Parse(negated(kMaxFormulaDepth, "not ") + "stop < 1"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is nested deeper than 32")));
  EXPECT_THAT(Parse(negated(kMaxFormulaDepth - 1, "-") + "stop < 1"), IsOk());
  EXPECT_THAT(Parse(negated(kMaxFormulaDepth, "-") + "stop < 1"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is nested deeper than 32")));

  const auto conditions = [](size_t count) {
    std::string text = "stop < 1";
    for (size_t nodes = 1; nodes < count; nodes += 2) text += " or stop < 1";
    return text;
  };
  EXPECT_THAT(Parse(conditions(kMaxFormulaNodes - 1)), IsOk());
  EXPECT_THAT(Parse(conditions(kMaxFormulaNodes + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more than 64 conditions")));

  const auto steps = [](size_t count) {
    std::string text = "0 < 1";
    for (size_t i = 2; i + 2 < count; i += 2) text += "+1";
    return text + "+stop";
  };
  EXPECT_THAT(Parse(steps(kMaxFormulaSteps)), IsOk());
  EXPECT_THAT(Parse(steps(kMaxFormulaSteps + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("256 steps of arithmetic")));

  const auto amount = [](size_t count) {  // the last step is that of abs
    std::string text = "0 < abs(stop";
    for (size_t i = 3; i < count; i += 2) text += "+stop";
    return text + ")";
  };
  EXPECT_THAT(Parse(amount(kMaxFormulaSteps - 1)), IsOk());
  EXPECT_THAT(Parse(amount(kMaxFormulaSteps + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("256 steps of arithmetic")));

  const auto waiting = [](size_t numbers) {
    std::string text = "0 < ";
    for (size_t i = 1; i < numbers; ++i) text += "1-(";
    return text + "stop" + std::string(numbers - 1, ')');
  };
  EXPECT_THAT(Parse(waiting(kMaxFormulaStack)), IsOk());
  EXPECT_THAT(Parse(waiting(kMaxFormulaStack + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more than 16 numbers")));

  EXPECT_THAT(Parse("stop < 1" + std::string(kMaxFormulaBytes - 8, ' ')), IsOk());
  EXPECT_THAT(Parse("stop < 1" + std::string(kMaxFormulaBytes - 7, ' ')),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "column 4097: a formula has at most 4096 bytes, this one 4097"));

  EXPECT_THAT(Parse("always[0,99](stop < 1)"), IsOk());
  EXPECT_THAT(Parse("always[0,100](stop < 1)"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("shorten them")));
  EXPECT_THAT(Parse("once[0,0](stop < 1) and once[0.1,0.2](stop < 1)"), IsOk());
}

TEST(FormulaTest, ReadsNamesOfLettersDigitsDotsAndUnderscoresAmongAnySpace) {
  const std::vector<std::string> names = {"azAZ_09.x", "_z", "a", "Z9"};
  const auto formula = Formula::Parse("azAZ_09.x\t<\r_z\n+ a-Z9", names, kSampling);
  ASSERT_THAT(formula, IsOk());
  EXPECT_EQ(formula->Compare(formula->root(), std::vector<Reading>{1.0, 2.0, 4.0, 8.0}).low, -3);
}

TEST(FormulaTest, IsReadNoFurtherThanItGoes) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Token> tokens, Tokens(std::string_view("1234", 2)));
  ASSERT_EQ(tokens.size(), 2U);
  EXPECT_EQ(tokens[0].number, 12);
  EXPECT_EQ(tokens[1].kind, Token::Kind::kEnd);
  EXPECT_EQ(tokens[1].column, 3U);
}

TEST(FormulaTest, ShowsTheCharacterItDoesNotKnowOrItsByteWhereItCannotBeShown) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"\x1f", "column 1: byte 0x1f stands in no formula"},
      {"!", "column 1: '!' stands in no formula"},
      {"@", "column 1: '@' stands in no formula"},
      {"`", "column 1: '`' stands in no formula"},
      {"{", "column 1: '{' stands in no formula"},
      {"/", "column 1: '/' stands in no formula"},
      {":", "column 1: ':' stands in no formula"},
      {"~", "column 1: '~' stands in no formula"},
      {"\x7f", "column 1: byte 0x7f stands in no formula"},
  };
  for (const auto& [text, error] : table) {
    EXPECT_THAT(Parse(text), StatusIs(absl::StatusCode::kInvalidArgument, error));
  }
}

TEST(FormulaTest, KnowsHowManySamplesItsWindowsHoldAtMost) {
  const auto formula = Parse("once[0.2,1](always[0,2](stop < 1))");
  ASSERT_THAT(formula, IsOk());
  const Node& always = formula->nodes()[1];
  const Node& once = formula->nodes()[2];
  // A sample each 10 ms, a gap each 100 ms, and four at the ends.
  EXPECT_EQ(MostInWindow(always, kSampling), 224U);
  EXPECT_EQ(MostInGuard(always, kSampling), 4U);
  EXPECT_EQ(MostInWindow(once, kSampling), 92U);
  EXPECT_EQ(MostInGuard(once, kSampling), 26U);
  EXPECT_EQ(formula->MostPending(), 246U);
  EXPECT_EQ(formula->MostKept(), 6 * 246U + 224 + 4 + 92 + 26);
  EXPECT_EQ(Parse("always[0.2,1](stop < 1)")->MostPending(), 114U) << "the past alone reaches back";
}

TEST(FormulaTest, MayKeepAsManySamplesAsThereIsMemoryFor) {
  ASSERT_OK_AND_ASSIGN(const Formula most, Parse("always[0,99.26](stop < 1)"));
  EXPECT_EQ(most.MostKept(), kMaxFormulaSamples);
  EXPECT_THAT(Parse("always[0,63.6](stop < 1) and once[0,22.95](stop < 1)"), IsOk());
  EXPECT_THAT(Parse("always[0,63.6](stop < 1) and once[0,22.96](stop < 1)"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("hold up to 65537 samples")));
  EXPECT_THAT(Parse("always[0,99.27](stop < 1)"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "column 1: its windows hold up to 65542 samples, at most 65536 may be kept: "
                       "shorten them"));
}

TEST(FormulaTest, RefusesASamplingWithoutGaps) {
  const auto parse = [](Nanos min_gap, Nanos max_gap) {
    return Formula::Parse("stop < 1", kNames, {.min_gap = min_gap, .max_gap = max_gap});
  };
  EXPECT_THAT(parse(Nanos{1}, Nanos{1}), IsOk());
  EXPECT_THAT(parse(Nanos{0}, Nanos{1}), StatusIs(absl::StatusCode::kInvalidArgument,
                                                  "sampling must have 0 < min_gap <= max_gap"));
  EXPECT_THAT(parse(Nanos{2}, Nanos{1}), StatusIs(absl::StatusCode::kInvalidArgument,
                                                  "sampling must have 0 < min_gap <= max_gap"));
}

TEST(FormulaTest, SurvivesEveryTruncationAndFlip) {
  const std::string text =
      "always[0,2](clearance_m - 0.1 * abs(vx_mps) < 0.3 -> not (stop == 1 until[0.2,0.5] vx_mps "
      "<= -1e-3)) and min(stop, 1) >= 0";
  ASSERT_THAT(Parse(text), IsOk());
  for (size_t length = 0; length <= text.size(); ++length) {
    Parse(text.substr(0, length)).status().IgnoreError();
  }
  int refused = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      const auto formula = Parse(flipped);
      if (formula.ok()) continue;
      ++refused;
      EXPECT_THAT(formula, StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("column ")));
    }
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace agent::monitor
