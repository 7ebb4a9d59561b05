#include <cmath>
#include <limits>

#include "agent/runtime/binding.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/card_policy.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::FloatNear;
using ::tests::AddInput;
using ::tests::FakeModel;
using ::tests::kStartOfTime;
using ::tests::NavCard;
using ::tests::PolicyWith;
namespace v1 = ::gatekeeper::v1;

// A card that fills one tensor from one channel, and the usual outputs.
v1::ModelCard CardOf(const v1::InputBinding& input) {
  v1::ModelCard card = NavCard();
  card.clear_inputs();
  *card.add_inputs() = input;
  return card;
}

v1::InputBinding Input(const char* channel, std::initializer_list<const char*> fields = {}) {
  v1::InputBinding input;
  input.set_tensor("x");
  input.set_channel(channel);
  for (const char* field : fields) input.add_fields(field);
  return input;
}

// What the card's first input tensor holds after this packet.
std::vector<float> Filled(const v1::ModelCard& card, const Policy& policy,
                          const v1::Observation& packet) {
  const auto signature = SignatureFor(card, policy);
  EXPECT_TRUE(signature.ok()) << signature.status();
  const auto binding = Binding::Compile(card, policy, *signature);
  EXPECT_TRUE(binding.ok()) << binding.status();
  FakeModel model(*signature);
  InputBoard board;
  board.Accept(packet, kStartOfTime);
  EXPECT_TRUE(binding->InputsFit(model));
  EXPECT_TRUE(binding->Fill(board, model));
  return {model.input(0).begin(), model.input(0).end()};
}

TEST(BindingTest, FillsBlocksInTheOrderOfTheCard) {
  EXPECT_THAT(Filled(NavCard(), PolicyWith(), tests::Packet(kStartOfTime)),
              ElementsAre(5, 5, 5, 5, 0.25F, 3, 0));
}

TEST(BindingTest, SaysWhatTensorsACardNeeds) {
  ASSERT_OK_AND_ASSIGN(const base::ModelSignature signature, SignatureFor(NavCard(), PolicyWith()));
  ASSERT_EQ(signature.inputs.size(), 1U);
  EXPECT_EQ(signature.inputs[0], (base::TensorSpec{"features", {1, 7}}));
  ASSERT_EQ(signature.outputs.size(), 1U);
  EXPECT_EQ(signature.outputs[0], (base::TensorSpec{"command", {1, 2}}));
}

TEST(BindingTest, ClipsThenScalesThenShifts) {
  v1::InputBinding input = Input("goal_range_m");
  input.set_clip_min(1);
  input.set_clip_max(2);
  input.set_scale(10);
  input.set_offset(-5);
  for (const auto& [raw, wanted] : {std::pair{0.5, 5.0}, {1.5, 10.0}, {2.5, 15.0}}) {
    v1::Observation packet = tests::Packet(kStartOfTime);
    (*packet.mutable_signals())["goal_range_m"].set_value(raw);
    EXPECT_THAT(Filled(CardOf(input), PolicyWith(), packet),
                ElementsAre(FloatEq(static_cast<float>(wanted))));
  }
}

TEST(BindingTest, ReadsOdometryAndImuFieldsInTheOrderNamed) {
  const Policy policy = PolicyWith([](v1::ControlPolicy& p) { AddInput(p, "imu"); });
  v1::Observation packet = tests::Packet(kStartOfTime);
  packet.mutable_odom()->set_wz_radps(2);
  packet.mutable_odom()->set_yaw_rad(1);
  v1::Imu& imu = *packet.mutable_imu();
  imu.set_ax_mps2(1);
  imu.set_ay_mps2(2);
  imu.set_az_mps2(3);
  imu.set_gx_radps(4);
  imu.set_gy_radps(5);
  imu.set_gz_radps(6);
  EXPECT_THAT(Filled(CardOf(Input("odom", {"yaw_rad", "wz_radps", "vx_mps", "x_m", "y_m"})), policy,
                     packet),
              ElementsAre(1, 2, 0, 10, 4.5F));
  EXPECT_THAT(Filled(CardOf(Input("imu", {"gz_radps", "gy_radps", "gx_radps", "az_mps2", "ay_mps2",
                                          "ax_mps2"})),
                     policy, packet),
              ElementsAre(6, 5, 4, 3, 2, 1));
}

TEST(BindingTest, DoesNotFillWithoutAValue) {
  const Policy policy = PolicyWith();
  ASSERT_OK_AND_ASSIGN(const auto signature, SignatureFor(NavCard(), policy));
  ASSERT_OK_AND_ASSIGN(const Binding binding, Binding::Compile(NavCard(), policy, signature));
  FakeModel model(signature);
  EXPECT_FALSE(binding.Fill(InputBoard(), model));
}

TEST(BindingTest, DoesNotFillFromAMessageThatNeverCame) {
  const v1::ModelCard card = CardOf(Input("odom", {"vx_mps"}));
  const Policy policy = PolicyWith();
  ASSERT_OK_AND_ASSIGN(const auto signature, SignatureFor(card, policy));
  ASSERT_OK_AND_ASSIGN(const Binding binding, Binding::Compile(card, policy, signature));
  FakeModel model(signature);
  EXPECT_FALSE(binding.Fill(InputBoard(), model));
}

TEST(BindingTest, NeedsAnOutputAsLongAsItsLastElementInWhateverOrderTheyAreNamed) {
  v1::ModelCard card = NavCard();
  card.mutable_outputs()->SwapElements(0, 1);
  ASSERT_OK_AND_ASSIGN(const base::ModelSignature signature, SignatureFor(card, PolicyWith()));
  EXPECT_EQ(signature.outputs[0], (base::TensorSpec{"command", {1, 2}}));
}

TEST(BindingTest, DoesNotFillFromASignalThatHasNotBeenTakenYet) {
  v1::Observation packet = tests::Packet(kStartOfTime);
  packet.set_stamp_ns(0);  // what bears no stamp is heard of and not taken
  InputBoard board;
  board.Accept(packet, kStartOfTime);
  const v1::ModelCard card = CardOf(Input("goal_range_m"));
  const Policy policy = PolicyWith();
  ASSERT_OK_AND_ASSIGN(const auto signature, SignatureFor(card, policy));
  ASSERT_OK_AND_ASSIGN(const Binding binding, Binding::Compile(card, policy, signature));
  FakeModel model(signature);
  EXPECT_FALSE(binding.Fill(board, model));
  EXPECT_FALSE(binding.Fill(InputBoard(), model));  // nor from one that nobody has heard of
}

TEST(BindingTest, FitsNoModelWhoseBuffersAreShorter) {
  const Policy policy = PolicyWith();
  ASSERT_OK_AND_ASSIGN(const auto signature, SignatureFor(NavCard(), policy));
  ASSERT_OK_AND_ASSIGN(const Binding binding, Binding::Compile(NavCard(), policy, signature));
  FakeModel model(signature);
  EXPECT_TRUE(binding.InputsFit(model));
  EXPECT_TRUE(binding.OutputsFit(model));
  model.Shorten(0);
  EXPECT_FALSE(binding.InputsFit(model));
  model.says.pop_back();
  model.Run({});
  EXPECT_FALSE(binding.OutputsFit(model));
}

TEST(BindingTest, ReadsAnglesThenSpeedsOfEveryJointAndOfNoFewer) {
  const Policy policy = PolicyWith([](v1::ControlPolicy& p) {
    tests::MakeArm(p, {"base", "elbow"});
  });
  v1::ModelCard card = CardOf(Input("joints", {"q_rad", "qd_radps"}));
  card.mutable_outputs(0)->set_field("base");
  card.mutable_outputs(1)->set_field("elbow");
  v1::Observation packet = tests::Packet(kStartOfTime);
  for (const double value : {0.5, 1.0}) {
    packet.mutable_joints()->add_q_rad(value);
    packet.mutable_joints()->add_qd_radps(-value);
  }
  EXPECT_THAT(Filled(card, policy, packet), ElementsAre(0.5F, 1.0F, -0.5F, -1.0F));

  ASSERT_OK_AND_ASSIGN(const auto signature, SignatureFor(card, policy));
  ASSERT_OK_AND_ASSIGN(const Binding binding, Binding::Compile(card, policy, signature));
  FakeModel model(signature);
  InputBoard board;
  packet.mutable_joints()->mutable_qd_radps()->RemoveLast();
  board.Accept(packet, kStartOfTime);
  EXPECT_FALSE(binding.Fill(board, model));
}

TEST(BindingTest, FindsTensorsByNameWhateverTheirOrderInTheModel) {
  v1::ModelCard card = NavCard();
  card.mutable_inputs(3)->set_tensor("motion");
  const Policy policy = PolicyWith();
  const base::ModelSignature model_has = {{{"motion", {1}}, {"features", {6}}},
                                          {{"aux", {1, 9}}, {"command", {2}}}};
  ASSERT_OK_AND_ASSIGN(const Binding binding, Binding::Compile(card, policy, model_has));
  FakeModel model(model_has);
  InputBoard board;
  v1::Observation packet = tests::Packet(kStartOfTime);
  packet.mutable_odom()->set_vx_mps(0.7);
  board.Accept(packet, kStartOfTime);
  ASSERT_TRUE(binding.Fill(board, model));
  EXPECT_FLOAT_EQ(model.input(0)[0], 0.7F);
  EXPECT_FLOAT_EQ(model.input(1)[5], 3.0F);
}

// --- scans
// -------------------------------------------------------------------------------------------

v1::InputBinding ScanInput(uint32_t sectors, double from, double to) {
  v1::InputBinding input = Input("scan");
  input.mutable_scan()->set_sectors(sectors);
  input.mutable_scan()->set_from_rad(from);
  input.mutable_scan()->set_to_rad(to);
  input.mutable_scan()->set_range_max_m(8);
  return input;
}

v1::Observation ScanPacket(double from, double step, const std::vector<float>& ranges) {
  v1::Observation packet = tests::Packet(kStartOfTime);
  v1::LaserScan& scan = *packet.mutable_scan();
  scan.set_angle_min_rad(from);
  scan.set_angle_increment_rad(step);
  scan.clear_ranges_m();
  for (float range : ranges) scan.add_ranges_m(range);
  return packet;
}

TEST(ScanResampleTest, TakesTheNearestValidReturnOfEachSector) {
  const float none = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Filled(CardOf(ScanInput(3, -1.5, 1.5)), PolicyWith(),
                     ScanPacket(-1.4, 0.4, {3, 2, none, 0, -1, 9, 4, 5})),
              ElementsAre(2, 8, 4));
}

TEST(ScanResampleTest, ASectorBeginsAtItsEdgeAndBeamsOutsideAreLeftOut) {
  EXPECT_THAT(Filled(CardOf(ScanInput(2, 0, 1)), PolicyWith(), ScanPacket(-0.5, 0.5, {1, 2, 3, 4})),
              ElementsAre(2, 3));
}

TEST(ScanResampleTest, WrapsAroundTheBack) {
  // Sectors from 3 rad to 4 rad; the beam at -2.9 rad is at 3.38.
  EXPECT_THAT(Filled(CardOf(ScanInput(2, 3, 4)), PolicyWith(), ScanPacket(-2.9, 0.4, {1, 2, 3})),
              ElementsAre(1, 2));
}

TEST(ScanResampleTest, ASectorMayHoldTheFirstBeamsAndTheLast) {
  // One sector ahead; of a full circle the two beams in the middle look elsewhere.
  EXPECT_THAT(
      Filled(CardOf(ScanInput(1, -1, 1)), PolicyWith(), ScanPacket(0, 1.5, {4, 1, 2, 1, 3})),
      ElementsAre(3));
}

TEST(ScanResampleTest, SortsBeamsAnewWhenTheScannerLooksElsewhere) {
  const v1::ModelCard card = CardOf(ScanInput(2, -1, 1));
  const Policy policy = PolicyWith();
  ASSERT_OK_AND_ASSIGN(const auto signature, SignatureFor(card, policy));
  ASSERT_OK_AND_ASSIGN(const Binding binding, Binding::Compile(card, policy, signature));
  FakeModel model(signature);
  InputBoard board;
  int64_t second = 0;
  std::vector<float> packet_ranges = {1, 2};
  const auto filled = [&](double from, double step) {
    v1::Observation packet = ScanPacket(from, step, packet_ranges);
    const Nanos now = kStartOfTime + std::chrono::seconds(++second);
    packet.set_stamp_ns(now.count());
    board.Accept(packet, now);
    EXPECT_TRUE(binding.Fill(board, model));
    return std::vector<float>(model.input(0).begin(), model.input(0).end());
  };
  EXPECT_THAT(filled(-0.5, 1), ElementsAre(1, 2));
  EXPECT_THAT(filled(0.5, 1), ElementsAre(8, 1));     // from another bearing
  EXPECT_THAT(filled(0.5, -1), ElementsAre(2, 1));    // in the other direction
  EXPECT_THAT(filled(0.5, -0.2), ElementsAre(8, 1));  // more densely
  packet_ranges = {3};
  EXPECT_THAT(filled(0.5, -0.2), ElementsAre(8, 3));  // with fewer beams
}

TEST(ScanResampleTest, CountsBeamsBackwardsToo) {
  EXPECT_THAT(Filled(CardOf(ScanInput(2, -1, 1)), PolicyWith(), ScanPacket(0.5, -1, {1, 2})),
              ElementsAre(2, 1));
}

// --- images
// ------------------------------------------------------------------------------------------

std::vector<float> Image(uint32_t width, uint32_t height, const char* encoding,
                         const std::string& data, uint32_t to_width, uint32_t to_height,
                         const char* color) {
  const Policy policy = PolicyWith([](v1::ControlPolicy& p) { AddInput(p, "image"); });
  v1::InputBinding input = Input("image");
  input.mutable_image()->set_width(to_width);
  input.mutable_image()->set_height(to_height);
  input.mutable_image()->set_color(color);
  v1::Observation packet = tests::Packet(kStartOfTime);
  packet.mutable_image()->set_width(width);
  packet.mutable_image()->set_height(height);
  packet.mutable_image()->set_encoding(encoding);
  packet.mutable_image()->set_data(data);
  return Filled(CardOf(input), policy, packet);
}

TEST(ImageResampleTest, AveragesTheBoxUnderEachPixel) {
  const std::string pixels("\0\2\4\6\10\12\14\16", 8);  // two rows: 0 2 4 6, 8 10 12 14
  EXPECT_THAT(Image(4, 2, "mono8", pixels, 2, 1, "mono"), ElementsAre(5, 9));
  EXPECT_THAT(Image(4, 2, "mono8", pixels, 4, 2, "mono"), ElementsAre(0, 2, 4, 6, 8, 10, 12, 14));
}

TEST(ImageResampleTest, ConvertsEveryByteThatNeedsNoAverage) {
  const Policy policy = PolicyWith([](v1::ControlPolicy& p) { AddInput(p, "image"); });
  v1::InputBinding input = Input("image");
  input.mutable_image()->set_width(3);
  input.mutable_image()->set_height(1);
  input.mutable_image()->set_color("mono");
  input.set_clip_max(200);
  input.set_scale(0.5);
  input.set_offset(1);
  v1::Observation packet = tests::Packet(kStartOfTime);
  packet.mutable_image()->set_width(3);
  packet.mutable_image()->set_height(1);
  packet.mutable_image()->set_encoding("mono8");
  packet.mutable_image()->set_data(std::string("\0\x81\xff", 3));

  EXPECT_THAT(Filled(CardOf(input), policy, packet), ElementsAre(1, 65.5, 101));
}

TEST(ImageResampleTest, AveragesRowsOfAnImageThatIsAsWideAsWanted) {
  EXPECT_THAT(Image(2, 2, "mono8", std::string("\2\4\6\10", 4), 2, 1, "mono"), ElementsAre(4, 6));
}

TEST(ImageResampleTest, RepeatsPixelsWhenItEnlarges) {
  EXPECT_THAT(Image(1, 1, "mono8", "\7", 2, 2, "mono"), Each(7.0F));
}

TEST(ImageResampleTest, PutsPixelsThatDoNotDivideWhereTheyBegin) {
  EXPECT_THAT(Image(3, 1, "mono8", "\2\4\10", 2, 1, "mono"), ElementsAre(2, 6));
  EXPECT_THAT(Image(1, 3, "mono8", "\2\4\10", 1, 2, "mono"), ElementsAre(2, 6));
  EXPECT_THAT(Image(2, 1, "mono8", "\2\4", 3, 1, "mono"), ElementsAre(2, 2, 4));
  EXPECT_THAT(Image(2, 1, "mono8", "\2\4", 1, 1, "mono"), ElementsAre(3));
}

TEST(ImageResampleTest, LaysOutChannelRowColumn) {
  const std::string pixels = "abcdef";  // two pixels of r, g, b
  EXPECT_THAT(Image(2, 1, "rgb8", pixels, 2, 1, "rgb"), ElementsAre('a', 'd', 'b', 'e', 'c', 'f'));
  EXPECT_THAT(Image(2, 1, "mono8", "ab", 2, 1, "rgb"), ElementsAre('a', 'b', 'a', 'b', 'a', 'b'));
}

TEST(ImageResampleTest, MakesGreyOfColour) {
  EXPECT_THAT(Image(1, 1, "rgb8", std::string("\144\0\0", 3), 1, 1, "mono"),
              ElementsAre(FloatNear(29.9F, 1e-4F)));
  EXPECT_THAT(Image(1, 1, "rgb8", std::string("\0\144\0", 3), 1, 1, "mono"),
              ElementsAre(FloatNear(58.7F, 1e-4F)));
  EXPECT_THAT(Image(2, 1, "rgb8", std::string("\0\0\144\12\24\50", 6), 2, 1, "mono"),
              ElementsAre(FloatNear(11.4F, 1e-4F), FloatNear(19.29F, 1e-4F)));
}

TEST(ImageResampleTest, AnImageAloneGivesItsTensorFourAxes) {
  const Policy policy = PolicyWith([](v1::ControlPolicy& p) { AddInput(p, "image"); });
  v1::InputBinding input = Input("image");
  input.mutable_image()->set_width(5);
  input.mutable_image()->set_height(4);
  input.mutable_image()->set_color("rgb");
  v1::ModelCard card = CardOf(input);
  ASSERT_OK_AND_ASSIGN(const auto alone, SignatureFor(card, policy));
  EXPECT_EQ(alone.inputs[0].shape, (std::vector<int64_t>{1, 3, 4, 5}));
  *card.add_inputs() = Input("goal_range_m");
  ASSERT_OK_AND_ASSIGN(const auto with_more, SignatureFor(card, policy));
  EXPECT_EQ(with_more.inputs[0].shape, (std::vector<int64_t>{1, 61}));
  card.mutable_inputs()->SwapElements(0, 1);
  ASSERT_OK_AND_ASSIGN(const auto after_more, SignatureFor(card, policy));
  EXPECT_EQ(after_more.inputs[0].shape, (std::vector<int64_t>{1, 61}));
}

}  // namespace
}  // namespace agent::runtime
