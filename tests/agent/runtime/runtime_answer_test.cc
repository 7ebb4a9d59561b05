#include <cmath>
#include <limits>

#include "agent/runtime/binding.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/card_policy.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/status_matchers.h"

// How a model's answer is read as a command.

namespace agent::runtime {
namespace {

using ::testing::ElementsAre;
using ::tests::FakeModel;
using ::tests::NavCard;
using ::tests::PolicyWith;
namespace v1 = ::gatekeeper::v1;

class ReadTest : public testing::Test {
 protected:
  bool Read(std::vector<float> says, const v1::ModelCard& card) {
    const Policy policy = PolicyWith();
    const auto signature = SignatureFor(card, policy);
    EXPECT_TRUE(signature.ok()) << signature.status();
    const auto binding = Binding::Compile(card, policy, *signature);
    EXPECT_TRUE(binding.ok()) << binding.status();
    FakeModel model(*signature);
    model.says = std::move(says);
    model.Run(Nanos{0});
    return binding->Read(model, raw_, report_);
  }
  std::vector<double> raw_;
  SelfReport report_;
};

TEST_F(ReadTest, ScalesShiftsThenClips) {
  v1::ModelCard card = NavCard();
  card.mutable_outputs(0)->set_index(1);
  card.mutable_outputs(1)->set_index(0);
  card.mutable_outputs(1)->set_scale(2);
  card.mutable_outputs(1)->set_offset(0.5);
  card.mutable_outputs(1)->set_clip_min(-1);
  card.mutable_outputs(1)->set_clip_max(1);
  EXPECT_TRUE(Read({0.125F, 0.5F}, card));
  EXPECT_THAT(raw_, ElementsAre(0.5, 0.75));
  EXPECT_TRUE(Read({8.0F, 0.5F}, card));
  EXPECT_THAT(raw_, ElementsAre(0.5, 1.0));
  EXPECT_EQ(report_.confidence, 1);
}

TEST_F(ReadTest, AClipDoesNotMakeANonFiniteOutputFinite) {
  v1::ModelCard card = NavCard();
  for (v1::OutputBinding& output : *card.mutable_outputs()) {
    output.set_clip_min(-1);
    output.set_clip_max(1);
  }
  EXPECT_FALSE(Read({std::numeric_limits<float>::infinity(), 0}, card));
  EXPECT_FALSE(Read({0, std::numeric_limits<float>::quiet_NaN()}, card));
}

TEST_F(ReadTest, ANumberThatItsScaleMakesInfiniteIsNone) {
  v1::ModelCard card = NavCard();
  card.mutable_outputs(0)->set_scale(1e300);
  EXPECT_TRUE(Read({1, 0}, card));
  EXPECT_FALSE(Read({1e30F, 0}, card));
}

TEST_F(ReadTest, ANonFiniteConfidenceIsANonFiniteOutput) {
  v1::ModelCard card = NavCard();
  v1::OutputBinding& output = *card.add_outputs();
  output = card.outputs(0);
  output.set_field("confidence");
  output.set_index(2);
  EXPECT_TRUE(Read({0, 0, 0.25F}, card));
  EXPECT_EQ(report_.confidence, 0.25);
  EXPECT_FALSE(Read({0, 0, std::numeric_limits<float>::quiet_NaN()}, card));
}

TEST_F(ReadTest, GivesNoNegativeZero) {
  EXPECT_TRUE(Read({-0.0F, 0}, NavCard()));
  EXPECT_FALSE(std::signbit(raw_[0]));
}

}  // namespace
}  // namespace agent::runtime
