#include <algorithm>
#include <functional>
#include <set>
#include <sstream>

#include "agent/base/yaml_document.h"
#include "gatekeeper/bundle/change_effect.h"
#include "gtest/gtest.h"
#include "proto/fallback.pb.h"
#include "proto/policy.pb.h"
#include "tests/support/nav_release.h"
#include "tests/support/status_matchers.h"

namespace {

using namespace gatekeeper::bundle;  // NOLINT(google-build-using-namespace)
using gatekeeper::v1::ControlPolicy;
using gatekeeper::v1::FallbackRules;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

void PrintEffect(Effect effect, std::ostream& out) {
  out << (effect == Effect::kLooser    ? "looser"
          : effect == Effect::kTighter ? "tighter"
                                       : "different");
}

ControlPolicy NavPolicy() {
  ControlPolicy policy;
  EXPECT_OK(agent::base::ReadYaml(tests::NavFile("control_policy.yaml"), "policy",
                                  "control_policy/1", policy));
  return policy;
}

FallbackRules NavRules() {
  FallbackRules rules;
  EXPECT_OK(agent::base::ReadYaml(tests::NavFile("fallback_rules.yaml"), "rules",
                                  "fallback_rules/1", rules));
  return rules;
}

template <class Document>
struct Change {
  const char* path;
  Effect effect;
  std::function<void(Document&)> make;
};

template <class Document>
void ExpectEffects(const Document& document, const std::vector<Change<Document>>& changes) {
  for (const Change<Document>& change : changes) {
    Document changed = document;
    change.make(changed);
    const Flat before = Flatten(document);
    const Flat after = Flatten(changed);
    EXPECT_NE(before, after) << change.path;
    std::stringstream forth;
    std::stringstream wanted;
    PrintEffect(EffectOf(before, after, change.path), forth);
    PrintEffect(change.effect, wanted);
    EXPECT_EQ(forth.str(), wanted.str()) << change.path;
    if (change.effect != Effect::kTighter) continue;
    EXPECT_EQ(EffectOf(after, before, change.path), Effect::kLooser) << "back: " << change.path;
  }
}

google::protobuf::RepeatedPtrField<gatekeeper::v1::Point> Corners(
    std::initializer_list<std::pair<double, double>> list) {
  google::protobuf::RepeatedPtrField<gatekeeper::v1::Point> points;
  for (const auto& [x, y] : list) {
    points.Add()->set_x(x);
    points.rbegin()->set_y(y);
  }
  return points;
}

TEST(ChangeEffectTest, ZonesAreComparedAsAreas) {
  ExpectEffects<ControlPolicy>(
      NavPolicy(),
      {{"envelope.hall.polygon_m", Effect::kTighter,
        [](ControlPolicy& p) {
          *p.mutable_envelope(0)->mutable_polygon_m() =
              Corners({{0, 0}, {20, 0}, {20, 11}, {0, 11}});
        }},
       {"envelope.hall.polygon_m", Effect::kLooser,  // moved: some ground is new
        [](ControlPolicy& p) {
          *p.mutable_envelope(0)->mutable_polygon_m() =
              Corners({{1, 0}, {21, 0}, {21, 12}, {1, 12}});
        }},
       {"envelope.stairs.circle_m", Effect::kTighter,
        [](ControlPolicy& p) { p.mutable_envelope(1)->mutable_circle_m()->set_r(0.800001); }},
       {"envelope.stairs.circle_m", Effect::kLooser,  // moved: some ground is free again
        [](ControlPolicy& p) {
          p.mutable_envelope(1)->mutable_circle_m()->mutable_c()->set_x(19.1);
        }},
       {"envelope.stairs.circle_m", Effect::kTighter,  // a polygon around the circle
        [](ControlPolicy& p) {
          p.mutable_envelope(1)->clear_circle_m();
          *p.mutable_envelope(1)->mutable_polygon_m() =
              Corners({{18.2, 0}, {19.8, 0}, {19.8, 1.6}, {18.2, 1.6}});
        }},
       {"footprint.circle_m", Effect::kTighter,
        [](ControlPolicy& p) { p.mutable_footprint()->mutable_circle_m()->set_r(0.3); }},
       {"envelope.hall.z_m", Effect::kTighter,
        [](ControlPolicy& p) {
          p.mutable_envelope(0)->add_z_m(0);
          p.mutable_envelope(0)->add_z_m(2);
        }},
       {"envelope.stairs.z_m", Effect::kLooser,
        [](ControlPolicy& p) {
          p.mutable_envelope(1)->add_z_m(0);
          p.mutable_envelope(1)->add_z_m(2);
        }},
       {"envelope.stairs", Effect::kLooser,
        [](ControlPolicy& p) { p.mutable_envelope()->RemoveLast(); }},
       {"envelope.hall", Effect::kLooser,
        [](ControlPolicy& p) { p.mutable_envelope()->DeleteSubrange(0, 1); }},
       {"separation", Effect::kLooser, [](ControlPolicy& p) { p.clear_separation(); }}});
}

TEST(ChangeEffectTest, ArraysAreComparedAsFunctions) {
  const auto nominal = [](ControlPolicy& p) { return p.mutable_limits()->mutable_nominal(); };
  ExpectEffects<ControlPolicy>(
      NavPolicy(),
      {{"limits.nominal.acc_max_mps2", Effect::kTighter,
        [&](ControlPolicy& p) { nominal(p)->set_acc_max_mps2(2, 0.5); }},
       {"limits.nominal.acc_max_mps2", Effect::kLooser,  // less here, more there
        [&](ControlPolicy& p) {
          nominal(p)->set_acc_max_mps2(0, 0.5);
          nominal(p)->set_acc_max_mps2(2, 1.1);
        }},
       {"limits.nominal.speed_points_mps", Effect::kLooser,  // slows down later
        [&](ControlPolicy& p) { nominal(p)->set_speed_points_mps(1, 0.8); }},
       {"limits.nominal.speed_points_mps", Effect::kTighter,
        [&](ControlPolicy& p) { nominal(p)->set_speed_points_mps(1, 0.2); }},
       {"limits.nominal.acc_max_mps2", Effect::kLooser,  // does not fit its points any more
        [&](ControlPolicy& p) { nominal(p)->add_acc_max_mps2(0.1); }},
       {"limits.degraded.acc_max_mps2", Effect::kTighter,
        [](ControlPolicy& p) { p.mutable_limits()->mutable_degraded()->add_acc_max_mps2(0.3); }},
       {"limits.degraded", Effect::kLooser,
        [](ControlPolicy& p) { p.mutable_limits()->clear_degraded(); }},
       {"derate.soc_temp_degC.points", Effect::kLooser,
        [](ControlPolicy& p) { p.mutable_derate(0)->set_points(1, 95); }},
       {"derate.supply_V.points", Effect::kTighter,
        [](ControlPolicy& p) { p.mutable_derate(1)->set_points(0, 22); }},
       {"derate.infer_p99_ms_60s.scale", Effect::kTighter,
        [](ControlPolicy& p) { p.mutable_derate(2)->set_scale(1, 0.2); }},
       {"derate.soc_temp_degC.release_at", Effect::kTighter,
        [](ControlPolicy& p) { p.mutable_derate(0)->set_release_at(76); }},
       {"derate.supply_V.release_at", Effect::kLooser,
        [](ControlPolicy& p) { p.mutable_derate(1)->set_release_at(22); }},
       {"derate.supply_V", Effect::kLooser,
        [](ControlPolicy& p) { p.mutable_derate()->DeleteSubrange(1, 1); }}});
}

TEST(ChangeEffectTest, ChecksThatComeAreTighterAndThoseThatGoAreLooser) {
  ExpectEffects<ControlPolicy>(
      NavPolicy(),
      {{"output.uncertainty", Effect::kTighter,
        [](ControlPolicy& p) { p.mutable_output()->mutable_uncertainty()->set_enter_above(1); }},
       {"requirements.slow", Effect::kTighter,
        [](ControlPolicy& p) { p.add_requirements()->set_id("slow"); }},
       {"separation.ssm", Effect::kTighter,
        [](ControlPolicy& p) { p.mutable_separation()->mutable_ssm()->set_source("scan"); }},
       {"separation.zones.touch.action", Effect::kLooser,
        [](ControlPolicy& p) { p.mutable_separation()->mutable_zones(0)->set_action("limit"); }},
       {"inputs.odom", Effect::kLooser,
        [](ControlPolicy& p) { p.mutable_inputs()->erase("odom"); }},
       {"inputs.odom.required", Effect::kLooser,
        [](ControlPolicy& p) { (*p.mutable_inputs())["odom"].set_required(false); }},
       {"limits.clamp_budget.max_fraction", Effect::kTighter,
        [](ControlPolicy& p) { p.mutable_limits()->mutable_clamp_budget()->set_max_fraction(0); }},
       {"id", Effect::kDifferent, [](ControlPolicy& p) { p.set_id("other"); }}});
}

gatekeeper::v1::Trigger& TriggerOf(FallbackRules& rules, const std::string& id) {
  for (gatekeeper::v1::Trigger& trigger : *rules.mutable_triggers()) {
    if (trigger.id() == id) return trigger;
  }
  std::abort();
}

TEST(ChangeEffectTest, AnswersAreComparedByTheCareTheyTake) {
  ExpectEffects<FallbackRules>(
      NavRules(),
      {{"triggers.nonfinite.to", Effect::kTighter,
        [](FallbackRules& r) { TriggerOf(r, "nonfinite").set_to("CONTROLLED_STOP"); }},
       {"triggers.deadline_miss.clear.operator", Effect::kTighter,
        [](FallbackRules& r) {
          TriggerOf(r, "deadline_miss").clear_clear();
          TriggerOf(r, "deadline_miss").mutable_clear()->set_operator_(true);
        }},
       {"triggers.envelope_breach.clear.rearm", Effect::kLooser,
        [](FallbackRules& r) {
          TriggerOf(r, "envelope_breach").clear_clear();
          TriggerOf(r, "envelope_breach").mutable_clear()->set_operator_(true);
        }},
       {"triggers.deadline_miss.clear.quiet_ms", Effect::kTighter,
        [](FallbackRules& r) {
          TriggerOf(r, "deadline_miss").mutable_clear()->set_quiet_ms(9000);
        }},
       {"triggers.nonfinite.clear.max_per_hour", Effect::kLooser,  // 0: as often as it likes
        [](FallbackRules& r) { TriggerOf(r, "nonfinite").mutable_clear()->set_max_per_hour(0); }},
       {"triggers.input_stale.defer", Effect::kLooser,
        [](FallbackRules& r) { TriggerOf(r, "input_stale").mutable_defer()->set_max_s(1); }},
       {"states.PREVIOUS_MODEL.limits", Effect::kLooser,
        [](FallbackRules& r) { (*r.mutable_states())["PREVIOUS_MODEL"].set_limits("nominal"); }},
       {"states.PREVIOUS_MODEL.max_dwell_s", Effect::kLooser,
        [](FallbackRules& r) { (*r.mutable_states())["PREVIOUS_MODEL"].set_max_dwell_s(0); }},
       {"states.SIMPLE_CONTROLLER.needs", Effect::kLooser,
        [](FallbackRules& r) {
          (*r.mutable_states())["SIMPLE_CONTROLLER"].mutable_needs()->RemoveLast();
        }},
       {"states.ESTOP_LATCHED.latch", Effect::kLooser,
        [](FallbackRules& r) { (*r.mutable_states())["ESTOP_LATCHED"].clear_latch(); }},
       {"states.CONTROLLED_STOP.else", Effect::kLooser,
        [](FallbackRules& r) {
          (*r.mutable_states())["CONTROLLED_STOP"].set_else_("SAFE_STOPPED");
        }},
       {"rearm.approvals", Effect::kTighter,
        [](FallbackRules& r) { r.mutable_rearm()->add_approvals("site_manager"); }},
       {"rearm.probation", Effect::kLooser,
        [](FallbackRules& r) { r.mutable_rearm()->clear_probation(); }},
       {"flap.window_s", Effect::kTighter,
        [](FallbackRules& r) { r.mutable_flap()->set_window_s(120); }}});
}

// Numbers of which neither more nor less is safer by itself, or that a function above judges.
const char* const kNeutral[] = {
    "version",   "command.rate_hz",  "window.n", "clamp_budget.window_s",
    "rank",      "detect_ms",        "dec_mps2", "jerk_mps3",
    "field_rad", "release_at",       "a_m",      "alpha_rad",
    "d_m",       "theta_offset_rad", "x",        "y",
    "r"};

void CheckNumbers(const Descriptor& type, const std::string& parent, std::set<const void*>& seen) {
  if (!seen.insert(&type).second) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string path = parent + "." + field.name();
    if (field.message_type() != nullptr) {
      CheckNumbers(*field.message_type(), field.name(), seen);
      continue;
    }
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING || field.is_repeated() ||
        field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
      continue;
    }
    const bool neutral =
        std::any_of(std::begin(kNeutral), std::end(kNeutral),
                    [&](const std::string& name) { return field.name() == name || path == name; });
    const Effect effect = EffectOf({{path, "1"}}, {{path, "2"}}, path);
    const bool judged = effect != Effect::kDifferent;
    EXPECT_TRUE(judged || neutral) << path << " has no meaning when it grows";
  }
}

TEST(ChangeEffectTest, EveryNumberOfPolicyAndRulesHasAMeaningWhenItGrows) {
  std::set<const void*> seen;
  CheckNumbers(*ControlPolicy::descriptor(), "", seen);
  CheckNumbers(*FallbackRules::descriptor(), "", seen);
  EXPECT_GT(seen.size(), 30U);
}

}  // namespace
