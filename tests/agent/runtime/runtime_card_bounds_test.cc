#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "agent/runtime/binding.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/card_policy.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/status_matchers.h"

// Both sides of every bound of a model card, the words it is refused with, and what of an answer is
// believed.

namespace agent::runtime {
namespace {

using ::testing::ElementsAre;
using ::tests::AddInput;
using ::tests::NavCard;
using ::tests::PolicyWith;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;
using C = v1::ModelCard;

struct CardBound {
  const char* name;
  void (*inside)(C&);
  void (*beyond)(C&);
  const char* refusal;
};
void PrintTo(const CardBound& bound, std::ostream* out) { *out << bound.name; }

class CardBoundTest : public testing::TestWithParam<CardBound> {};

TEST_P(CardBoundTest, IsTakenAtItsEdgeAndRefusedBeyondIt) {
  const Policy policy = PolicyWith([](v1::ControlPolicy& p) {
    for (const char* channel : {"imu", "image", "joints"}) AddInput(p, channel);
  });
  C inside = NavCard();
  GetParam().inside(inside);
  EXPECT_OK(SignatureFor(inside, policy).status());
  C beyond = NavCard();
  GetParam().beyond(beyond);
  EXPECT_THAT(SignatureFor(beyond, policy),
              StatusIs(absl::StatusCode::kInvalidArgument, GetParam().refusal));
}

v1::ScanResample& Scan(C& c) { return *c.mutable_inputs(0)->mutable_scan(); }

void SetSides(C& c, uint32_t width, uint32_t height) {
  c.mutable_inputs(0)->set_channel("image");
  c.mutable_inputs(0)->clear_scan();
  v1::ImageResample& image = *c.mutable_inputs(0)->mutable_image();
  image.set_width(width);
  image.set_height(height);
  image.set_color("mono");
}

void SetSpan(C& c, double span_rad) {
  Scan(c).set_from_rad(0);
  Scan(c).set_to_rad(span_rad);
}

INSTANTIATE_TEST_SUITE_P(
    Inputs, CardBoundTest,
    testing::Values(
        CardBound{"most_sectors", [](C& c) { Scan(c).set_sectors(4096); },
                  [](C& c) { Scan(c).set_sectors(4097); },
                  "[inputs[0].scan.sectors] must be 1 to 4096, is 4097"},
        CardBound{"least_sectors", [](C& c) { Scan(c).set_sectors(1); },
                  [](C& c) { Scan(c).set_sectors(0); },
                  "[inputs[0].scan.sectors] must be 1 to 4096, is 0"},
        CardBound{"full_turn", [](C& c) { SetSpan(c, kTwoPi + 9e-10); },
                  [](C& c) { SetSpan(c, kTwoPi + 2e-9); },
                  "[inputs[0].scan.to_rad] must be above from_rad by at most a full turn"},
        CardBound{"no_turn", [](C& c) { SetSpan(c, 1e-9); }, [](C& c) { SetSpan(c, 0); },
                  "[inputs[0].scan.to_rad] must be above from_rad by at most a full turn"},
        CardBound{"widest", [](C& c) { SetSides(c, 2048, 1); }, [](C& c) { SetSides(c, 2049, 1); },
                  "[inputs[0].image] must be 1 to 2048 pixels wide and high"},
        CardBound{"highest", [](C& c) { SetSides(c, 1, 2048); }, [](C& c) { SetSides(c, 1, 2049); },
                  "[inputs[0].image] must be 1 to 2048 pixels wide and high"},
        CardBound{"fields", [](C&) {}, [](C& c) { c.mutable_inputs(3)->clear_fields(); },
                  "[inputs[3].fields] must name fields of the channel: vx_mps, wz_radps, x_m, y_m, "
                  "yaw_rad"},
        CardBound{"some", [](C&) {}, [](C& c) { c.clear_inputs(); }, "[inputs] must be given"},
        CardBound{"fields_of_an_image", [](C& c) { SetSides(c, 4, 4); },
                  [](C& c) {
                    SetSides(c, 4, 4);
                    c.mutable_inputs(0)->add_fields("x");
                  },
                  "[inputs[0].fields] does not belong to channel image"},
        CardBound{"point_clip",
                  [](C& c) {
                    c.mutable_inputs(1)->set_clip_min(1);
                    c.mutable_inputs(1)->set_clip_max(1);
                  },
                  [](C& c) {
                    c.mutable_inputs(1)->set_clip_min(1);
                    c.mutable_inputs(1)->set_clip_max(0.99);
                  },
                  "[inputs[1].clip_max] must not be below clip_min"}));

INSTANTIATE_TEST_SUITE_P(
    Outputs, CardBoundTest,
    testing::Values(
        CardBound{"some", [](C&) {}, [](C& c) { c.clear_outputs(); }, "[outputs] must be given"},
        CardBound{"each", [](C&) {}, [](C& c) { c.mutable_outputs()->RemoveLast(); },
                  "[outputs] must bind command field 'wz_radps'"},
        CardBound{"index", [](C& c) { c.mutable_outputs(0)->set_index(65535); },
                  [](C& c) { c.mutable_outputs(0)->set_index(65536); },
                  "[outputs[0].index] must be below 65536, is 65536"},
        CardBound{"field", [](C&) {}, [](C& c) { c.mutable_outputs(0)->set_field("vy_mps"); },
                  "[outputs[0].field] must be a command field (vx_mps, wz_radps), "
                  "confidence or uncertainty, is 'vy_mps'"}));

TEST(CardTensorsTest, AreToldByTheirSizesWhenTheyDoNotFit) {
  const Policy policy = PolicyWith();
  const base::TensorSpec in{"features", {1, 7}};
  const base::TensorSpec out{"command", {1, 2}};
  const auto expect_refused = [&](const base::ModelSignature& signature, const char* refusal) {
    EXPECT_THAT(Binding::Compile(NavCard(), policy, signature),
                StatusIs(absl::StatusCode::kInvalidArgument, refusal));
  };
  expect_refused({{{"feature", {1, 7}}}, {out}},
                 "[inputs] name tensor 'features', which the model does not have");
  expect_refused({{{"features", {1, 8}}}, {out}},
                 "[inputs] give tensor 'features' 7 elements, the model's has 8");
  expect_refused({{in, {"more", {1}}}, {out}}, "[inputs] fill 1 tensors, the model has 2");
  expect_refused({{in}, {{"command", {1, 1}}}},
                 "[outputs] give tensor 'command' 2 elements, the model's has 1");
}

// --- what of an answer is believed

class AnswerOfCardTest : public testing::Test {
 protected:
  // False when nothing of it may be used.
  bool Read(const C& card, std::vector<float> says) {
    const Policy policy = PolicyWith();
    const auto signature = SignatureFor(card, policy);
    EXPECT_OK(signature.status());
    const auto binding = Binding::Compile(card, policy, *signature);
    EXPECT_OK(binding.status());
    tests::FakeModel model(*signature);
    model.says = std::move(says);
    model.Run(Nanos{0});
    return binding->Read(model, raw_, report_);
  }
  std::vector<double> raw_ = {7, 7, 7};
  SelfReport report_{.confidence = 0.5, .uncertainty = 0.5};
};

TEST_F(AnswerOfCardTest, WhoIsNotAskedIsSureOfItself) {
  EXPECT_TRUE(Read(NavCard(), {0.5F, -0.25F}));
  EXPECT_THAT(raw_, ElementsAre(0.5, -0.25));
  EXPECT_EQ(report_.confidence, 1);
  EXPECT_EQ(report_.uncertainty, 0);
}

TEST_F(AnswerOfCardTest, ScalesThenShiftsThenClips) {
  C card = NavCard();
  card.mutable_outputs(0)->set_scale(10);
  card.mutable_outputs(0)->set_offset(-2);
  card.mutable_outputs(0)->set_clip_max(5);
  EXPECT_TRUE(Read(card, {0.5F, 0.25F}));
  EXPECT_THAT(raw_, ElementsAre(3, 0.25));
  card.mutable_outputs(1)->set_clip_max(-0.0);
  EXPECT_TRUE(Read(card, {1.0F, 0.5F}));
  EXPECT_THAT(raw_, ElementsAre(5, 0));
  EXPECT_FALSE(std::signbit(raw_[1]));
}

TEST_F(AnswerOfCardTest, WhatIsNoNumberOrBecomesNoneIsNotUsed) {
  for (const float no_number : {static_cast<float>(kNan), static_cast<float>(kInfinity)}) {
    EXPECT_FALSE(Read(NavCard(), {no_number, 0}));
    EXPECT_FALSE(Read(NavCard(), {0, no_number}));
  }
  C clipped = NavCard();
  clipped.mutable_outputs(0)->set_clip_max(1);
  EXPECT_FALSE(Read(clipped, {static_cast<float>(kInfinity), 0})) << "clipped it would look sound";
  C huge = NavCard();
  huge.mutable_outputs(0)->set_scale(1e308);
  EXPECT_FALSE(Read(huge, {10, 0}));
}

}  // namespace
}  // namespace agent::runtime
