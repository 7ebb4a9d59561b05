#include <cmath>
#include <filesystem>
#include <memory>
#include <string>

#include "agent/base/status_macros.h"
#include "agent/inference/golden.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/runtime/controller.h"
#include "agent/runtime/kinematics.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/sim/cell_lesson.h"
#include "gatekeeper/sim/lane_lesson.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/cli/typed_verb.h"
#include "tests/support/git_folder.h"
#include "tests/support/nav_release.h"
#include "tests/support/status_matchers.h"

// Every release of policies/: built from a commit, shown, and its model driven through the robot's
// own Controller.

namespace {

using agent::base::Nanos;
using agent::inference::LoadedModel;
using agent::runtime::Controller;
using agent::runtime::Pilot;
using agent::runtime::Tick;
using gatekeeper::bundle::UngatedUnit;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace sim = gatekeeper::sim;
namespace v1 = gatekeeper::v1;

// A unit with its model, as a worker and control would load it.
struct Shipped {
  LoadedModel loaded;
  std::unique_ptr<Pilot> pilot;
};

absl::StatusOr<Shipped> LoadShipped(const UngatedUnit& unit) {
  ASSIGN_OR_RETURN(const std::string card, unit.Read(agent::trust::kCardFile));
  ASSIGN_OR_RETURN(const std::string policy, unit.Read(agent::trust::kPolicyFile));
  ASSIGN_OR_RETURN(const std::string fallback, unit.Read(agent::trust::kFallbackFile));
  ASSIGN_OR_RETURN(const std::string onnx, unit.Read(agent::trust::kModelFile));
  ASSIGN_OR_RETURN(const std::string json, unit.Read(agent::trust::kGoldenFile));
  ASSIGN_OR_RETURN(const auto rules, agent::runtime::LoadRules(card, policy, fallback));
  ASSIGN_OR_RETURN(const auto signature, agent::runtime::SignatureFor(rules->card, rules->policy));
  ASSIGN_OR_RETURN(const auto runtime,
                   agent::inference::OnnxRuntime::Open(agent::inference::DefaultLibraryPath()));
  const agent::base::ExecutionProvider cpu[] = {agent::base::ExecutionProvider::kCpu};
  Shipped shipped;
  ASSIGN_OR_RETURN(shipped.loaded, runtime->Load(onnx, signature, cpu));
  ASSIGN_OR_RETURN(const auto golden, agent::inference::ParseGolden(json));
  RETURN_IF_ERROR(
      agent::inference::CheckGolden(golden, shipped.loaded.numerics_key, *shipped.loaded.model));
  ASSIGN_OR_RETURN(auto binding,
                   agent::runtime::Binding::Compile(rules->card, rules->policy,
                                                    shipped.loaded.model->signature()));
  shipped.pilot = std::make_unique<Pilot>(Pilot{.digest = unit.digest().hex(),
                                                .rules = rules,
                                                .binding = std::move(binding),
                                                .model = shipped.loaded.model.get()});
  return shipped;
}

class ShippedReleaseTest : public testing::Test {
 protected:
  ShippedReleaseTest() {
    for (const char* folder : {"nav", "lane", "cell", "site"}) {
      std::filesystem::copy(std::string("policies/") + folder, git_.path() + "/" + folder,
                            std::filesystem::copy_options::recursive);
    }
    git_.Commit("policies");
  }

  static tests::Printed Type(const std::string& arguments) {
    gatekeeper::cli::Session session;
    CLI::App app;
    gatekeeper::cli::AddUnitVerbs(app, session);
    return tests::Typed(app, session, arguments);
  }

  absl::StatusOr<UngatedUnit> Build(const std::string& name) {
    ASSIGN_OR_RETURN(const auto repository, gatekeeper::source::Repository::Open(git_.path()));
    return gatekeeper::bundle::BuildUnit(repository,
                                         {"HEAD", name + "/release-1.0.0.yaml", out_ / name});
  }

  void Load(const std::string& name) {
    ASSERT_OK_AND_ASSIGN(const UngatedUnit unit, Build(name));
    ASSERT_OK_AND_ASSIGN(shipped_, LoadShipped(unit));
    controller_.SwapTo(shipped_.pilot.get(), nullptr, now_);
  }

  // A tick with this packet, stamped and asking for a command.
  const Tick& Step(v1::Observation packet, Nanos period) {
    now_ += period;
    packet.set_stamp_ns(now_.count());
    packet.set_want_command(true);
    packet.set_network_up(true);
    controller_.Observe(packet, now_);
    return controller_.Step(now_);
  }

  tests::GitFolder git_;
  tests::TempFolder out_;
  Shipped shipped_;
  Controller controller_{agent::runtime::LatchState{}};
  Nanos now_ = std::chrono::hours(1);
};

TEST_F(ShippedReleaseTest, IsBuiltFromACommitWithAllItsPartsAndShown) {
  for (const std::string name : {"nav", "lane", "cell"}) {
    ASSERT_OK_AND_ASSIGN(const UngatedUnit unit, Build(name));
    const tests::Printed shown = Type("unit inspect " + unit.folder());
    EXPECT_EQ(shown.code, 0) << shown.err;
    EXPECT_THAT(shown.out,
                AllOf(HasSubstr(name + "@1.0.0  sha256:" + unit.digest().hex()),
                      HasSubstr("model/card.yaml"), HasSubstr("model/golden.json"),
                      HasSubstr("model/model.onnx"), HasSubstr("policy/control_policy.yaml"),
                      HasSubstr("policy/fallback_rules.yaml"), Not(HasSubstr("no golden answers")),
                      HasSubstr("static checks: 0 findings")));
  }
}

TEST_F(ShippedReleaseTest, IsBuiltWithAWarningWhenNothingSaysWhereItMayDrive) {
  const auto built = [this](const std::string& out) {
    return Type("unit build --repo " + git_.path() + " --spec nav/release-1.0.0.yaml --out " +
                (out_ / out));
  };
  EXPECT_THAT(built("with").out, Not(HasSubstr("warning")));
  git_.Write("nav/release-1.0.0.yaml",
             tests::Edit(tests::NavFile("release-1.0.0.yaml"), "site: ../site/hall.yaml\n", ""));
  git_.Commit("nowhere");
  const tests::Printed without = built("without");
  EXPECT_EQ(without.code, 0) << without.err;
  EXPECT_THAT(without.out, HasSubstr("warning: no site: nothing says where it may drive"));
}

TEST_F(ShippedReleaseTest, OfAnArmIsBuiltOnlyForArmsThatItsSiteCertifies) {
  const std::string site = tests::NavFile("../site/cell.yaml");
  const auto refused = [&](const std::string& from, const std::string& to) {
    git_.Write("site/cell.yaml", tests::Edit(site, from, to));
    git_.Commit("another site");
    return std::string(Build("cell").status().message());
  };
  EXPECT_THAT(refused("arm-900:", "arm-600:"),
              HasSubstr("certifies no robots of hardware class 'arm-900'"));
  EXPECT_THAT(refused("tcp_v_max_mps: 0.25", "tcp_v_max_mps: 0.249"),
              HasSubstr("S9: arm.tcp_v_max_mps asks for 0.25 of 'arm-900', which is certified for "
                        "0.249"));
  EXPECT_THAT(refused("z_m: [0.20, 1.0]", "z_m: [0.20, 0.949999]"),
              HasSubstr("above 0.949999 m, which is outside the geofence of site 'assembly-cell'"));
  EXPECT_THAT(refused("{c: [0.45, 0.40], r: 0.10}", "{c: [0.45, 0.40], r: 0.120001}"),
              HasSubstr("S11: envelope[0] lets the robot be at"));
}

TEST_F(ShippedReleaseTest, NavDrivesToItsGoal) {
  ASSERT_NO_FATAL_FAILURE(Load("nav"));
  v1::Observation packet;
  v1::LaserScan& scan = *packet.mutable_scan();
  scan.set_angle_min_rad(-2.35);
  scan.set_angle_increment_rad(0.026);
  for (int i = 0; i <= 180; ++i) scan.add_ranges_m(6);
  packet.mutable_odom()->set_x_m(10);
  packet.mutable_odom()->set_y_m(6);
  (*packet.mutable_signals())["goal_bearing_rad"].set_value(0);
  (*packet.mutable_signals())["goal_range_m"].set_value(5);
  const Tick& tick = Step(packet, std::chrono::milliseconds(50));
  EXPECT_EQ(tick.state, "NOMINAL");
  EXPECT_FALSE(tick.stop);
  EXPECT_GT(tick.enforced[0], 0);
}

// The tug on the lane of its site, seeing what stands in the picture.
class ShippedLaneTest : public ShippedReleaseTest {
 protected:
  ShippedLaneTest() { Load("lane"); }

  const Tick& Tug() {
    v1::Observation packet;
    v1::Image& image = *packet.mutable_image();
    image.set_width(sim::kLaneWidth);
    image.set_height(sim::kLaneHeight);
    image.set_encoding("mono8");
    image.set_data(sim::LanePicture({.offset_m = 1.5 - y_m_,
                                     .heading_rad = -yaw_rad_,
                                     .contrast = contrast_,
                                     .seed = static_cast<uint64_t>(now_.count())}));
    v1::LaserScan& scan = *packet.mutable_scan();
    scan.set_angle_min_rad(-2.3);
    scan.set_angle_increment_rad(0.046);
    for (int i = 0; i <= 100; ++i) scan.add_ranges_m(12);
    v1::Odometry& odom = *packet.mutable_odom();
    odom.set_x_m(x_m_);
    odom.set_y_m(y_m_);
    odom.set_yaw_rad(yaw_rad_);
    odom.set_vx_mps(vx_mps_);
    odom.set_wz_radps(wz_radps_);
    odom.set_pose_sigma_m(0.03);
    controller_.SetSignal("soc_temp_degC", 50, now_);
    const Tick& tick = Step(packet, std::chrono::milliseconds(50));
    vx_mps_ = tick.enforced[0];
    wz_radps_ = tick.enforced[1];
    yaw_rad_ += wz_radps_ * 0.05;
    x_m_ += vx_mps_ * std::cos(yaw_rad_) * 0.05;
    y_m_ += vx_mps_ * std::sin(yaw_rad_) * 0.05;
    return tick;
  }

  double x_m_ = 2;
  double y_m_ = 1.2;  // 0.3 m beside the paint
  double yaw_rad_ = 0;
  double vx_mps_ = 0;
  double wz_radps_ = 0;
  double contrast_ = 1;
};

TEST_F(ShippedLaneTest, FindsThePaintAndFollowsItAtSpeed) {
  const Tick& first = Tug();
  EXPECT_EQ(first.state, "NOMINAL");
  EXPECT_FALSE(first.stop);
  EXPECT_GT(first.enforced[0], 0);
  for (int i = 0; i < 220; ++i) ASSERT_EQ(Tug().state, "NOMINAL") << i;
  EXPECT_GT(vx_mps_, 1.2);
  EXPECT_NEAR(y_m_, 1.5, 0.08);
  EXPECT_NEAR(yaw_rad_, 0, 0.06);
}

TEST_F(ShippedLaneTest, KnowsThatItSeesNoPaint) {
  for (int i = 0; i < 40; ++i) Tug();
  contrast_ = 0;
  EXPECT_THAT(Tug().triggers, testing::Contains("low_confidence"));
}

// The arm over the table of its site; its drives follow within a period.
class ShippedCellTest : public ShippedReleaseTest {
 protected:
  ShippedCellTest() { Load("cell"); }

  const Tick& Reach() {
    v1::Observation packet;
    v1::Image& image = *packet.mutable_image();
    image.set_width(sim::kTableSide);
    image.set_height(sim::kTableSide);
    image.set_encoding("mono8");
    view_.seed = static_cast<uint64_t>(now_.count());
    image.set_data(sim::TablePicture(view_));
    for (size_t joint = 0; joint < at_rad_.size(); ++joint) {
      packet.mutable_joints()->add_q_rad(at_rad_[joint]);
      packet.mutable_joints()->add_qd_radps((at_rad_[joint] - before_rad_[joint]) / 0.02);
      packet.mutable_joints()->add_tau_nm(5);
    }
    const Tick& tick = Step(packet, std::chrono::milliseconds(20));
    before_rad_ = at_rad_;
    at_rad_ = tick.enforced;
    return tick;
  }
  agent::runtime::Vec3 Tool() const {
    return agent::runtime::ToolPoint(shipped_.pilot->rules->policy.arm().chain, at_rad_);
  }

  sim::TableView view_{.x_m = 0.55, .y_m = -0.1};
  std::vector<double> at_rad_ = {0, 1.2, -1.8, -0.97, -1.57, 0};
  std::vector<double> before_rad_ = at_rad_;
};

TEST_F(ShippedCellTest, FindsThePartAndReachesAboveIt) {
  const Tick& first = Reach();
  EXPECT_EQ(first.state, "NOMINAL");
  EXPECT_FALSE(first.stop);
  for (int i = 0; i < 400; ++i) ASSERT_EQ(Reach().state, "NOMINAL") << i;
  EXPECT_LT(agent::runtime::Distance(Tool(), {0.55, -0.1, 0.25}), 0.05);
}

TEST_F(ShippedCellTest, KnowsThatThereIsNoPart) {
  Reach();
  view_.part = false;
  EXPECT_THAT(Reach().triggers, testing::Contains("low_confidence"));
}

}  // namespace
