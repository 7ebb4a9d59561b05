#include <bit>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/monitor/monitor.h"
#include "gtest/gtest.h"
#include "tests/agent/monitor/sampling.h"
#include "tests/support/cases.h"
#include "tests/support/status_matchers.h"

// The monitor against the definition of its logic, written down here a second time and as plainly
// as possible: quantifiers as loops over the whole recording, what is unknown as two worlds
// (nothing unseen helps; everything unseen helps).

namespace agent::monitor {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr size_t kSignals = 3;
const std::string kSignalNames[kSignals] = {"a", "b", "c"};

struct Moment {
  int64_t at = 0;
  Reading readings[kSignals];
};

struct Tree {
  std::string op;  // a relation, "not", "and", "or", "->", or a temporal word
  std::unique_ptr<Tree> left, right;
  int64_t from = 0, to = 0;
  double factor[kSignals] =
      {};  // comparison: sum of factor * signal, and perhaps its absolute value
  bool absolute = false;
  double constant = 0;

  bool ahead() const { return op == "always" || op == "eventually" || op == "until"; }
  bool temporal() const { return ahead() || op == "once" || op == "historically" || op == "since"; }
};

using Random = std::mt19937;
int Upto(Random& random, int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }

std::unique_ptr<Tree> RandomTree(Random& random, int depth) {
  auto tree = std::make_unique<Tree>();
  static const char* const kRelations[] = {"<", "<=", ">", ">=", "==", "!="};
  static const char* const kJoins[] = {"not",  "and",          "or",         "->",    "always",
                                       "once", "historically", "eventually", "until", "since"};
  if (depth == 0 || Upto(random, 4) == 0) {
    tree->op = kRelations[Upto(random, 6)];
    do {
      for (double& factor : tree->factor) factor = Upto(random, 2) ? 0 : Upto(random, 5) * 0.5 - 1;
    } while (tree->factor[0] == 0 && tree->factor[1] == 0 && tree->factor[2] == 0);
    tree->absolute = Upto(random, 4) == 0;
    tree->constant = Upto(random, 5) * 0.5 - 1;
    return tree;
  }
  tree->op = kJoins[Upto(random, 10)];
  tree->left = RandomTree(random, depth - 1);
  const bool two = tree->op == "and" || tree->op == "or" || tree->op == "->" ||
                   tree->op == "until" || tree->op == "since";
  if (two) tree->right = RandomTree(random, depth - 1);
  if (tree->temporal()) {
    tree->from = Upto(random, 2) ? 0 : Upto(random, 30) * 10 * kMs;
    tree->to = tree->from + (tree->from > 0 ? 100 * kMs : 0) + Upto(random, 40) * 10 * kMs;
  }
  return tree;
}

std::string Text(const Tree& tree) {
  const std::string window = absl::StrFormat("[%.2f,%.2f]", static_cast<double>(tree.from) * 1e-9,
                                             static_cast<double>(tree.to) * 1e-9);
  if (tree.left == nullptr) {
    std::string sum;
    for (size_t i = 0; i < kSignals; ++i) {
      if (tree.factor[i] == 0) continue;
      if (!sum.empty()) sum += " + ";
      sum += tree.factor[i] == 1 ? kSignalNames[i]
                                 : absl::StrFormat("%g * %s", tree.factor[i], kSignalNames[i]);
    }
    if (tree.absolute) sum = "abs(" + sum + ")";
    return absl::StrFormat("%s %s %g", sum, tree.op, tree.constant);
  }
  const std::string left = "(" + Text(*tree.left) + ")";
  if (tree.right == nullptr) return tree.op + (tree.temporal() ? window : "") + left;
  const std::string right = "(" + Text(*tree.right) + ")";
  return left + " " + tree.op + (tree.temporal() ? window : "") + " " + right;
}

// -0.0 stands before +0.0, which IEEE 754 totalOrder says too.
double Lower(double a, double b) { return std::strong_order(a, b) < 0 ? a : b; }
double Higher(double a, double b) { return std::strong_order(a, b) < 0 ? b : a; }

enum class World { kWorst, kBest };
World Other(World world) { return world == World::kWorst ? World::kBest : World::kWorst; }
double Unseen(World world) { return world == World::kWorst ? -kInfinity : kInfinity; }

class Oracle {
 public:
  explicit Oracle(const std::vector<Moment>& heard) {
    for (const Moment& moment : heard) {
      if (moments_.empty() || moment.at - moments_.back().at >= kSampling.min_gap.count()) {
        moments_.push_back(moment);
      }
    }
  }
  const std::vector<Moment>& moments() const { return moments_; }

  // `negated`: the tree stands below an odd number of negations.
  double Value(const Tree& tree, size_t i, World world, bool negated) {
    const auto key = std::make_tuple(&tree, i, world);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
    return known_[key] = Fresh(tree, i, world, negated);
  }

 private:
  double Fresh(const Tree& tree, size_t i, World world, bool negated) {
    if (tree.left == nullptr) return Compared(tree, moments_[i], world, negated);
    if (tree.temporal()) return Windowed(tree, moments_[i].at, world, negated);
    if (tree.op == "not") return -Value(*tree.left, i, Other(world), !negated);
    if (tree.op == "->") {
      return Higher(-Value(*tree.left, i, Other(world), !negated),
                    Value(*tree.right, i, world, negated));
    }
    const double left = Value(*tree.left, i, world, negated);
    const double right = Value(*tree.right, i, world, negated);
    return tree.op == "and" ? Lower(left, right) : Higher(left, right);
  }

  static double Compared(const Tree& tree, const Moment& moment, World world, bool negated) {
    double sum = 0;
    bool first = true;
    for (size_t i = 0; i < kSignals; ++i) {
      if (tree.factor[i] == 0) continue;
      if (!moment.readings[i]) return Unseen(world);
      const double term = tree.factor[i] * *moment.readings[i];
      sum = first ? term : sum + term;
      first = false;
    }
    if (tree.absolute) sum = std::abs(sum);
    if (std::isnan(sum)) return negated ? kInfinity : -kInfinity;
    if (sum == tree.constant) {
      return tree.op == "<=" || tree.op == ">=" || tree.op == "==" ? 0.0 : -0.0;
    }
    if (tree.op[0] == '<') return tree.constant - sum;
    if (tree.op[0] == '>') return sum - tree.constant;
    return (tree.op == "==" ? -1 : 1) * std::abs(tree.constant - sum);
  }

  // Points of time in [begin, end]: indices of samples, and nullopt for each stretch unseen.
  std::vector<std::optional<size_t>> Points(int64_t begin, int64_t end) const {
    std::vector<std::optional<size_t>> points;
    if (begin > end) return points;
    for (size_t i = 0; i < moments_.size(); ++i) {
      const int64_t at = moments_[i].at;
      const bool gap = i == 0 || at - moments_[i - 1].at > kSampling.max_gap.count();
      if (gap && (i == 0 || moments_[i - 1].at < end) && begin < at) points.push_back(std::nullopt);
      if (begin <= at && at <= end) points.push_back(i);
    }
    return points;
  }

  double Windowed(const Tree& tree, int64_t at, World world, bool negated) {
    const bool ahead = tree.ahead();
    auto window =
        ahead ? Points(at + tree.from, at + tree.to) : Points(at - tree.to, at - tree.from);
    const auto of = [&](const Tree& operand, const std::optional<size_t>& point) {
      return point ? Value(operand, *point, world, negated) : Unseen(world);
    };
    const bool every = tree.op == "always" || tree.op == "historically";
    double value = every ? kInfinity : -kInfinity;
    if (tree.right == nullptr) {
      for (const auto& point : window) {
        const double here = of(*tree.left, point);
        value = every ? Lower(value, here) : Higher(value, here);
      }
      return value;
    }
    auto guard = ahead ? Points(at, at + tree.from - 1) : Points(at - tree.from + 1, at);
    if (!ahead) {
      std::reverse(window.begin(), window.end());
      std::reverse(guard.begin(), guard.end());
    }
    for (size_t s = 0; s < window.size(); ++s) {
      double way = of(*tree.right, window[s]);
      for (const auto& u : guard) way = Lower(way, of(*tree.left, u));
      for (size_t u = 0; u < s; ++u) way = Lower(way, of(*tree.left, window[u]));
      value = Higher(value, way);
    }
    return value;
  }

  std::vector<Moment> moments_;
  std::map<std::tuple<const Tree*, size_t, World>, double> known_;
};

std::vector<Moment> RandomLife(Random& random) {
  std::vector<Moment> life;
  int64_t at = int64_t{1'700'000'000} * 1'000'000'000;
  const int samples = 3 + Upto(random, 28);
  const bool regular = Upto(random, 3) == 0;
  for (int i = 0; i < samples; ++i) {
    Moment moment{.at = at, .readings = {}};
    for (Reading& reading : moment.readings) {
      const int kind = Upto(random, 40);
      reading = Upto(random, 9) * 0.5 - 2;
      if (kind == 0) reading = std::nan("");
      if (kind == 1) reading.reset();
      if (kind == 2) reading = kInfinity;
      if (kind == 3) reading = -kInfinity;
    }
    life.push_back(moment);
    at += (regular ? 50 : 10 + 10 * Upto(random, 10)) * kMs;
    if (Upto(random, 15) == 0) at += 10 * Upto(random, 60) * kMs;
    if (Upto(random, 15) == 0) at = moment.at + Upto(random, 12) * kMs;
    if (Upto(random, 15) == 0) at += Upto(random, 3) - 1;
  }
  return life;
}

bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

struct Count {
  int holds = 0, violated = 0, unknown = 0;
};

void Check(const Tree& tree, const std::vector<Moment>& life, Count& count) {
  const std::string text = Text(tree);
  const auto formula = Formula::Parse(text, kSignalNames, kSampling);
  ASSERT_TRUE(formula.ok()) << text << ": " << formula.status();
  Monitor monitor(*formula);
  Oracle oracle(life);
  const int64_t horizon = formula->root().horizon.count();
  size_t heard = 0;
  size_t next = 0;
  for (const Moment& moment : life) {
    const auto outcomes = monitor.Step(Nanos{moment.at}, moment.readings);
    const bool left_out =
        heard == oracle.moments().size() || oracle.moments()[heard].at != moment.at;
    if (left_out) {
      ASSERT_TRUE(outcomes.empty()) << text;
      continue;
    }
    ++heard;
    size_t told = 0;
    while (next < oracle.moments().size() && oracle.moments()[next].at + horizon <= moment.at) {
      const double low = oracle.Value(tree, next, World::kWorst, false);
      const double high = oracle.Value(tree, next, World::kBest, false);
      ASSERT_LT(told, outcomes.size()) << text;
      const Outcome& outcome = outcomes[told++];
      ASSERT_EQ(outcome.at.count(), oracle.moments()[next].at) << text;
      Verdict wanted = Verdict::kUnknown;
      double robustness = std::nan("");
      if (!std::signbit(low)) {
        wanted = Verdict::kHolds;
        robustness = low;
        ++count.holds;
      } else if (std::signbit(high)) {
        wanted = Verdict::kViolated;
        robustness = high;
        ++count.violated;
      } else {
        ++count.unknown;
      }
      ASSERT_EQ(outcome.verdict, wanted) << text << " at sample " << next;
      ASSERT_TRUE(SameBits(outcome.robustness, robustness))
          << text << " at sample " << next << ": " << outcome.robustness << ", wanted "
          << robustness;
      ++next;
    }
    ASSERT_EQ(told, outcomes.size()) << text << ": an outcome before its horizon";
  }
}

TEST(MonitorPropertyTest, StreamingEqualsTheDefinitionOnAHundredThousandRandomPairs) {
  Random random(20260107);
  Count count;
  for (int i = 0; i < tests::Cases(100'000); ++i) {
    const auto tree = RandomTree(random, 1 + Upto(random, 3));
    Check(*tree, RandomLife(random), count);
    ASSERT_FALSE(HasFatalFailure()) << "pair " << i;
  }
  // Every kind of verdict was compared often.
  EXPECT_GT(count.holds, tests::Cases(100'000));
  EXPECT_GT(count.violated, tests::Cases(100'000));
  EXPECT_GT(count.unknown, tests::Cases(100'000));
}

}  // namespace
}  // namespace agent::monitor
