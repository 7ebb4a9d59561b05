#include "gatekeeper/bundle/change_effect.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "gatekeeper/bundle/exact_area.h"

namespace gatekeeper::bundle {
namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity();

// What a larger number of this name means for the robot; "parent.name" goes before "name".
const Flat& WhenLarger() {
  static const Flat table = [] {
    Flat made;
    for (const char* looser : {"vx_max_mps",
                               "wz_abs_max_radps",
                               "acc_max_mps2",
                               "dec_max_mps2",
                               "wz_acc_max_radps2",
                               "jerk_max_mps3",
                               "cmd_vs_measured_mps",
                               "max_fraction",
                               "max_age_ms",
                               "max_future_ms",
                               "stuck_after_ms",
                               "hard_ms",
                               "max_consecutive",
                               "window.max",
                               "enter_above",
                               "leave_below",
                               "min_points",
                               "trigger_consecutive",
                               "q_max_rad",
                               "qd_abs_max_radps",
                               "qdd_abs_max_radps2",
                               "qddd_abs_max_radps3",
                               "tau_abs_max_nm",
                               "tcp_v_max_mps",
                               "degraded_scale",
                               "absent_scale",
                               "ssm.dec_mps2",
                               "mrc_within_ms",
                               "max_dwell_s",
                               "complete_within_ms",
                               "after_ms",
                               "max_per_hour",
                               "max_transitions",
                               "defer.max_s",
                               "ttl_s",
                               "follow_gap.vx_mps",
                               "detect_ms"}) {
      made[looser] = "looser";
    }
    for (const char* tighter : {"vx_min_mps",          "for_ms",        "transition_for_ms",
                                "min_valid_fraction",  "enter_below",   "leave_above",
                                "leave_hold_ms",       "margin_m",      "pose_sigmas",
                                "release_consecutive", "q_min_rad",     "v_human_mps",
                                "t_react_s",           "c_m",           "z_sensor_m",
                                "z_robot_m",           "quiet_ms",      "standstill_ms",
                                "probation.for_s",     "flap.window_s", "free_m",
                                "half_width_m",        "window.n"}) {
      made[tighter] = "tighter";
    }
    return made;
  }();
  return table;
}

Effect Opposite(Effect effect) {
  if (effect == Effect::kLooser) return Effect::kTighter;
  if (effect == Effect::kTighter) return Effect::kLooser;
  return effect;
}

std::string LastName(const std::string& path) { return path.substr(path.rfind('.') + 1); }

std::string Get(const Flat& flat, const std::string& path) {
  const auto found = flat.find(path);
  return found == flat.end() ? "" : found->second;
}

bool Below(const std::string& path, const std::string& prefix) {
  return path.rfind(prefix, 0) == 0;
}

std::vector<double> Numbers(const std::string& text) {
  std::vector<double> numbers;
  const char* at = text.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    const double number = std::strtod(at, &end);
    if (end != at) numbers.push_back(number);
    at = end == at ? at + 1 : end;
  }
  return numbers;
}

std::set<std::string> Words(const std::string& text) {
  std::set<std::string> words;
  std::string word;
  for (const char c : text + ",") {
    if (c == ',' && !word.empty()) words.insert(std::exchange(word, ""));
    if (c != ',' && c != ' ' && c != '[' && c != ']') word += c;
  }
  return words;
}

std::optional<Shape> ShapeAt(const Flat& flat, const std::string& zone) {
  const std::vector<double> circle = Numbers(Get(flat, zone + ".circle_m"));
  if (circle.size() == 3) {
    v1::Circle written;
    written.mutable_c()->set_x(circle[0]);
    written.mutable_c()->set_y(circle[1]);
    written.set_r(circle[2]);
    return OnGrid(written);
  }
  const std::vector<double> corners = Numbers(Get(flat, zone + ".polygon_m"));
  google::protobuf::RepeatedPtrField<v1::Point> points;
  for (size_t i = 0; i + 1 < corners.size(); i += 2) {
    v1::Point& point = *points.Add();
    point.set_x(corners[i]);
    point.set_y(corners[i + 1]);
  }
  return OnGrid(points);
}

// An inclusion zone gives ground, every other zone and the footprint take it.
bool GivesGround(const Flat& flat, const std::string& zone) {
  return Get(flat, zone + ".kind") == "inclusion";
}

Effect JudgeShape(const Flat& before, const Flat& after, const std::string& zone) {
  const std::optional<Shape> was = ShapeAt(before, zone);
  const std::optional<Shape> is = ShapeAt(after, zone);
  if (!was || !is) return Effect::kLooser;  // finer than the grid: nobody can say that it is not
  const bool gives = GivesGround(after, zone);
  const auto freed = FindCell({*was, *is}, [gives](const std::vector<bool>& in) {
    return gives ? in[1] && !in[0] : in[0] && !in[1];
  });
  return freed ? Effect::kLooser : Effect::kTighter;
}

Effect JudgeHeights(const Flat& before, const Flat& after, const std::string& path) {
  const auto heights = [&](const Flat& flat) {
    const std::vector<double> z = Numbers(Get(flat, path));
    return z.size() == 2 ? std::pair(z[0], z[1]) : std::pair(-kNoBound, kNoBound);
  };
  const auto was = heights(before);
  const auto is = heights(after);
  const bool gives = GivesGround(after, Parent(path));
  const auto& inner = gives ? is : was;
  const auto& outer = gives ? was : is;
  const bool inside = outer.first <= inner.first && inner.second <= outer.second;
  return inside ? Effect::kTighter : Effect::kLooser;
}

struct Curve {
  std::vector<double> points;
  std::vector<double> values;

  bool sound() const { return !values.empty() && points.size() == values.size(); }
  double At(double x) const {
    if (x <= points.front()) return values.front();
    for (size_t i = 1; i < points.size(); ++i) {
      if (x > points[i]) continue;
      const double t = (x - points[i - 1]) / (points[i] - points[i - 1]);
      return values[i - 1] + t * (values[i] - values[i - 1]);
    }
    return values.back();
  }
};

// Both are linear between their points, so the corners of both tell everything.
Effect JudgeCurves(const Curve& was, const Curve& is) {
  if (!was.sound() || !is.sound()) return Effect::kLooser;
  std::vector<double> corners = was.points;
  corners.insert(corners.end(), is.points.begin(), is.points.end());
  bool lower = false;
  for (const double x : corners) {
    if (is.At(x) > was.At(x)) return Effect::kLooser;
    lower = lower || is.At(x) < was.At(x);
  }
  return lower ? Effect::kTighter : Effect::kDifferent;
}

constexpr const char* kCurves[] = {"wz_abs_max_radps", "acc_max_mps2", "dec_max_mps2",
                                   "jerk_max_mps3"};

Curve LimitCurve(const Flat& flat, const std::string& set, const std::string& name) {
  Curve curve{.points = Numbers(Get(flat, set + ".speed_points_mps")),
              .values = Numbers(Get(flat, set + "." + name))};
  if (curve.values.empty()) return {{0}, {kNoBound}};  // the set does not limit it
  if (curve.values.size() == 1) return {{0}, curve.values};
  if (curve.points.empty()) curve.points = Numbers(Get(flat, "limits.nominal.speed_points_mps"));
  return curve;
}

// New speed points change every array that stands on them.
Effect JudgeSpeedPoints(const Flat& before, const Flat& after) {
  bool tighter = false;
  for (const char* set : {"limits.nominal", "limits.transition", "limits.degraded"}) {
    for (const char* name : kCurves) {
      const Effect effect =
          JudgeCurves(LimitCurve(before, set, name), LimitCurve(after, set, name));
      if (effect == Effect::kLooser) return effect;
      tighter = tighter || effect == Effect::kTighter;
    }
  }
  return tighter ? Effect::kTighter : Effect::kDifferent;
}

Effect JudgeDerate(const Flat& before, const Flat& after, const std::string& path) {
  const std::string rule = Parent(path);
  const auto curve = [&](const Flat& flat) {
    return Curve{Numbers(Get(flat, rule + ".points")), Numbers(Get(flat, rule + ".scale"))};
  };
  if (LastName(path) != "release_at") return JudgeCurves(curve(before), curve(after));
  const Curve scale = curve(after);
  double was = 0;
  double is = 0;
  if (!scale.sound() || !absl::SimpleAtod(Get(before, path), &was) ||
      !absl::SimpleAtod(Get(after, path), &is)) {
    return Effect::kDifferent;
  }
  const bool falls = scale.values.back() < scale.values.front();  // heat: released when cooler
  return (is > was) == falls ? Effect::kLooser : Effect::kTighter;
}

// A state of higher rank is the more careful answer.
Effect JudgeTarget(const Flat& before, const Flat& after, const std::string& path) {
  double was = 0;
  double is = 0;
  if (!absl::SimpleAtod(Get(before, "states." + Get(before, path) + ".rank"), &was) ||
      !absl::SimpleAtod(Get(after, "states." + Get(after, path) + ".rank"), &is) || was == is) {
    return Effect::kDifferent;
  }
  return is > was ? Effect::kTighter : Effect::kLooser;
}

// By itself, by an operator, by two people after standing still.
int ClearingCare(const Flat& flat, const std::string& clear) {
  if (Get(flat, clear + ".rearm") == "true") return 2;
  return Get(flat, clear + ".operator") == "true" ? 1 : 0;
}

std::optional<Effect> JudgeClearing(const Flat& before, const Flat& after,
                                    const std::string& clear) {
  const int was = ClearingCare(before, clear);
  const int is = ClearingCare(after, clear);
  if (was == is) return std::nullopt;
  return is > was ? Effect::kTighter : Effect::kLooser;
}

// A word that stands for the careful choice.
std::optional<Effect> JudgeWord(const std::string& name, const std::string& was,
                                const std::string& is) {
  const std::pair<const char*, const char*> careful[] = {{"required", "true"},
                                                         {"minimal_risk_condition", "true"},
                                                         {"latch", "persistent"},
                                                         {"limits", "degraded"},
                                                         {"action", "stop"}};
  for (const auto& [key, word] : careful) {
    if (name != key || (was == word) == (is == word)) continue;
    return is == word ? Effect::kTighter : Effect::kLooser;
  }
  if (name != "needs" && name != "approvals" && name != "in_zone") return std::nullopt;
  const std::set<std::string> old_words = Words(was);
  const std::set<std::string> new_words = Words(is);
  const bool keeps =
      std::includes(new_words.begin(), new_words.end(), old_words.begin(), old_words.end());
  const bool more_is_tighter = name != "in_zone";  // zones in which a trigger is postponed
  if (more_is_tighter) return keeps ? Effect::kTighter : Effect::kLooser;
  return std::includes(old_words.begin(), old_words.end(), new_words.begin(), new_words.end())
             ? Effect::kTighter
             : Effect::kLooser;
}

Effect NumberEffect(const std::string& path) {
  const std::string name = LastName(path);
  for (const std::string& key : {LastName(Parent(path)) + "." + name, name}) {
    if (const std::string word = Get(WhenLarger(), key); !word.empty()) {
      return word == "looser" ? Effect::kLooser : Effect::kTighter;
    }
  }
  return Effect::kDifferent;
}

Effect JudgeNumber(const std::string& path, double was, double is) {
  const std::string name = LastName(path);
  if (name == "max_dwell_s" || name == "max_per_hour") {  // 0: no bound
    if (was == 0) was = kNoBound;
    if (is == 0) is = kNoBound;
  }
  const Effect larger = NumberEffect(path);
  return is > was ? larger : Opposite(larger);
}

// Zones, triggers, checks and caps protect: one more is tighter. Postponing does the opposite.
Effect JudgeAddition(const std::string& path) {
  if (LastName(path) == "defer") return Effect::kLooser;
  for (const char* protects :
       {"envelope.", "separation", "footprint", "triggers.", "inputs.", "derate.", "requirements.",
        "output.confidence", "output.uncertainty", "rearm.probation", "limits.degraded"}) {
    if (Below(path, protects)) return Effect::kTighter;
  }
  return NumberEffect(path) == Effect::kDifferent ? Effect::kDifferent : Effect::kTighter;
}

bool IsCurve(const std::string& path) {
  const std::string name = LastName(path);
  return Below(path, "limits.") &&
         std::find(std::begin(kCurves), std::end(kCurves), name) != std::end(kCurves);
}

}  // namespace

Effect EffectOf(const Flat& before, const Flat& after, const std::string& path) {
  const std::string name = LastName(path);
  const std::string was = Get(before, path);
  const std::string is = Get(after, path);
  if (name == "polygon_m" || name == "circle_m") return JudgeShape(before, after, Parent(path));
  if (name == "z_m") return JudgeHeights(before, after, path);
  if (IsCurve(path)) {
    return JudgeCurves(LimitCurve(before, Parent(path), name),
                       LimitCurve(after, Parent(path), name));
  }
  if (name == "speed_points_mps") return JudgeSpeedPoints(before, after);
  if (Below(path, "derate.") && (name == "points" || name == "scale" || name == "release_at")) {
    return JudgeDerate(before, after, path);
  }
  if (name == "to" || name == "then" || name == "else") return JudgeTarget(before, after, path);
  if (LastName(Parent(path)) == "clear") {
    if (const auto effect = JudgeClearing(before, after, Parent(path))) return *effect;
  }
  if (const auto effect = JudgeWord(name, was, is)) return *effect;
  // What answers in its place stands in another document: nobody can say here that it is no weaker.
  const bool both = !was.empty() && !is.empty();
  if (both && (name == "trigger" || name == "contact_trigger")) return Effect::kLooser;
  if (was.empty()) return JudgeAddition(path);
  if (is.empty()) return Opposite(JudgeAddition(path));
  double old_number = 0;
  double new_number = 0;
  if (!absl::SimpleAtod(was, &old_number) || !absl::SimpleAtod(is, &new_number)) {
    return Effect::kDifferent;
  }
  return JudgeNumber(path, old_number, new_number);
}

}  // namespace gatekeeper::bundle
