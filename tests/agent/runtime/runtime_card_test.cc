#include <limits>

#include "agent/runtime/binding.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/card_policy.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/status_matchers.h"

// Model cards that are refused, each by the path of its defect.

namespace agent::runtime {
namespace {

using ::testing::StartsWith;
using ::tests::AddInput;
using ::tests::NavCard;
using ::tests::PolicyWith;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

struct CardDefect {
  const char* path;
  void (*seed)(v1::ModelCard&);
};
void PrintTo(const CardDefect& defect, std::ostream* out) { *out << defect.path; }

class BadCardTest : public testing::TestWithParam<CardDefect> {};

TEST_P(BadCardTest, IsRefusedByThePathOfTheDefect) {
  v1::ModelCard card = NavCard();
  GetParam().seed(card);
  const Policy policy = PolicyWith([](v1::ControlPolicy& p) {
    for (const char* channel : {"imu", "image", "joints"}) AddInput(p, channel);
  });
  EXPECT_THAT(SignatureFor(card, policy),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(std::string("[") + GetParam().path + "] ")));
}

using C = v1::ModelCard;
v1::ImageResample& AsImage(C& c) {
  c.mutable_inputs(0)->set_channel("image");
  c.mutable_inputs(0)->clear_scan();
  v1::ImageResample& image = *c.mutable_inputs(0)->mutable_image();
  image.set_width(4);
  image.set_height(4);
  image.set_color("mono");
  return image;
}

INSTANTIATE_TEST_SUITE_P(
    Card, BadCardTest,
    testing::Values(
        CardDefect{"schema", [](C& c) { c.clear_schema(); }},
        CardDefect{"inputs", [](C& c) { c.clear_inputs(); }},
        CardDefect{"outputs", [](C& c) { c.clear_outputs(); }},
        CardDefect{"inputs[0].tensor", [](C& c) { c.mutable_inputs(0)->clear_tensor(); }},
        CardDefect{"inputs[1].channel", [](C& c) { c.mutable_inputs(1)->set_channel("mood"); }},
        CardDefect{"inputs[1].channel", [](C& c) { c.mutable_inputs(1)->set_channel("joints"); }},
        CardDefect{"inputs[0]", [](C& c) { c.mutable_inputs(0)->clear_scan(); }},
        CardDefect{"inputs[0].fields", [](C& c) { c.mutable_inputs(0)->add_fields("x"); }},
        CardDefect{"inputs[0].scan.sectors",
                   [](C& c) { c.mutable_inputs(0)->mutable_scan()->set_sectors(0); }},
        CardDefect{"inputs[0].scan.sectors",
                   [](C& c) { c.mutable_inputs(0)->mutable_scan()->set_sectors(4097); }},
        CardDefect{"inputs[0].scan.to_rad",
                   [](C& c) { c.mutable_inputs(0)->mutable_scan()->set_to_rad(-2); }},
        CardDefect{"inputs[0].scan.to_rad",
                   [](C& c) { c.mutable_inputs(0)->mutable_scan()->set_to_rad(4.3); }},
        CardDefect{"inputs[0].scan.to_rad",
                   [](C& c) { c.mutable_inputs(0)->mutable_scan()->set_to_rad(kNan); }},
        CardDefect{"inputs[0].scan.range_max_m",
                   [](C& c) { c.mutable_inputs(0)->mutable_scan()->set_range_max_m(kNan); }},
        CardDefect{"inputs[0].image", [](C& c) { AsImage(c).set_width(0); }},
        CardDefect{"inputs[0].image", [](C& c) { AsImage(c).set_width(2049); }},
        CardDefect{"inputs[0].image", [](C& c) { AsImage(c).set_height(0); }},
        CardDefect{"inputs[0].image", [](C& c) { AsImage(c).set_height(2049); }},
        CardDefect{"inputs[0].image.color", [](C& c) { AsImage(c).set_color("bgr"); }},
        CardDefect{"inputs[0]",
                   [](C& c) {
                     AsImage(c);
                     c.mutable_inputs(0)->clear_image();
                   }},
        CardDefect{"inputs[1].scan",
                   [](C& c) { c.mutable_inputs(1)->mutable_scan()->set_sectors(1); }},
        CardDefect{"inputs[1].image",
                   [](C& c) { c.mutable_inputs(1)->mutable_image()->set_width(1); }},
        CardDefect{"inputs[3].fields", [](C& c) { c.mutable_inputs(3)->clear_fields(); }},
        CardDefect{"inputs[3].fields[0]",
                   [](C& c) { c.mutable_inputs(3)->set_fields(0, "vz_mps"); }},
        CardDefect{"inputs[1].clip_max",
                   [](C& c) {
                     c.mutable_inputs(1)->set_clip_min(1), c.mutable_inputs(1)->set_clip_max(0);
                   }},
        CardDefect{"inputs[1].clip_max", [](C& c) { c.mutable_inputs(1)->set_clip_max(kNan); }},
        CardDefect{"inputs[1].scale", [](C& c) { c.mutable_inputs(1)->set_scale(0); }},
        CardDefect{"inputs[1].scale", [](C& c) { c.mutable_inputs(1)->set_scale(kNan); }},
        CardDefect{"inputs[1].offset", [](C& c) { c.mutable_inputs(1)->set_offset(kNan); }},
        CardDefect{"outputs[0].tensor", [](C& c) { c.mutable_outputs(0)->clear_tensor(); }},
        CardDefect{"outputs[0].index", [](C& c) { c.mutable_outputs(0)->set_index(65536); }},
        CardDefect{"outputs[0].field", [](C& c) { c.mutable_outputs(0)->set_field("vy_mps"); }},
        CardDefect{"outputs[1].field", [](C& c) { c.mutable_outputs(1)->set_field("vx_mps"); }},
        CardDefect{"outputs[0].clip_max", [](C& c) { c.mutable_outputs(0)->set_clip_max(kNan); }},
        CardDefect{"outputs[0].scale", [](C& c) { c.mutable_outputs(0)->set_scale(kNan); }},
        CardDefect{"outputs[0].scale", [](C& c) { c.mutable_outputs(0)->set_scale(0); }},
        CardDefect{"outputs[0].offset", [](C& c) { c.mutable_outputs(0)->set_offset(kNan); }},
        CardDefect{"execution_providers", [](C& c) { c.add_execution_providers("tpu"); }},
        CardDefect{"outputs", [](C& c) { c.mutable_outputs()->RemoveLast(); }}));

TEST(CardTest, RefusesACardWithoutTheConfidenceThatThePolicyJudges) {
  const Policy policy = PolicyWith([](v1::ControlPolicy& p) {
    v1::Confidence& confidence = *p.mutable_output()->mutable_confidence();
    confidence.set_enter_below(0.3);
    confidence.set_leave_above(0.5);
    confidence.set_leave_hold_ms(200);
    confidence.set_trigger("low_confidence");
  });
  EXPECT_THAT(SignatureFor(NavCard(), policy),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[outputs] ")));
}

TEST(CardTest, RefusesAnInputThatThePolicyDoesNotRequire) {
  const Policy policy = PolicyWith(
      [](v1::ControlPolicy& p) { (*p.mutable_inputs())["goal_range_m"].set_required(false); });
  EXPECT_THAT(SignatureFor(NavCard(), policy),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[inputs[2].channel] ")));
}

TEST(CardTest, IsRefusedWhoeverAsks) {
  v1::ModelCard card = NavCard();
  card.clear_outputs();
  const base::ModelSignature signature = {{{"features", {1, 7}}}, {{"command", {1, 2}}}};
  EXPECT_THAT(Binding::Compile(card, PolicyWith(), signature),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[outputs] ")));
}

TEST(CardTest, RefusesAModelWhoseTensorsAreOthers) {
  const Policy policy = PolicyWith();
  const base::TensorSpec in{"features", {1, 7}};
  const base::TensorSpec out{"command", {1, 2}};
  const auto compiled = [&](const base::ModelSignature& signature) {
    return Binding::Compile(NavCard(), policy, signature).status();
  };
  EXPECT_OK(compiled({{in}, {out}}));
  EXPECT_OK(compiled({{in}, {{"command", {1, 5}}}}));
  const auto refused = [](const char* path) {
    return StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(path));
  };
  EXPECT_THAT(compiled({{{"feature", {1, 7}}}, {out}}), refused("[inputs] "));
  EXPECT_THAT(compiled({{{"features", {1, 8}}}, {out}}), refused("[inputs] "));
  EXPECT_THAT(compiled({{in, {"more", {1}}}, {out}}), refused("[inputs] "));
  EXPECT_THAT(compiled({{in}, {{"command", {1, 1}}}}), refused("[outputs] "));
  EXPECT_THAT(compiled({{in}, {}}), refused("[outputs] "));
}

}  // namespace
}  // namespace agent::runtime
