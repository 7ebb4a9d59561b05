#include <cmath>
#include <functional>
#include <limits>

#include "agent/base/yaml_document.h"
#include "gatekeeper/bundle/capability_checks.h"
#include "gatekeeper/bundle/site.h"
#include "gmock/gmock.h"
#include "tests/support/nav_release.h"
#include "tests/support/status_matchers.h"

// What a site certifies an arm for, and a policy that asks for more.

namespace {

namespace bundle = gatekeeper::bundle;
namespace v1 = gatekeeper::v1;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The assembly cell's arm and its policy, which lies within the certificate.
class ArmCertificateTest : public testing::Test {
 protected:
  ArmCertificateTest() {
    EXPECT_OK(agent::base::ReadYaml(tests::NavFile("../cell/control_policy.yaml"), "policy",
                                    "control_policy/1", policy_));
    EXPECT_OK(
        agent::base::ReadYaml(tests::NavFile("../site/cell.yaml"), "site", "site/1", document_));
  }

  v1::Capability& arm() { return document_.mutable_robots()->at("arm-900"); }
  v1::CertifiedJoint& certified(int i) { return *arm().mutable_joints(i); }
  v1::JointLimit& asked(const std::string& joint) { return policy_.mutable_joints()->at(joint); }

  std::vector<std::string> Check() {
    const absl::StatusOr<bundle::Site> site = bundle::Site::Compile(document_);
    EXPECT_OK(site);
    std::vector<std::string> texts;
    for (const bundle::Finding& finding : bundle::CheckCapability(policy_, *site, hardware_)) {
      texts.push_back(finding.rule + " " + finding.path + " " + finding.message);
    }
    return texts;
  }
  // What is said of the site once `change` was made to it, which is then undone.
  std::string Refusal(const std::function<void()>& change) {
    const v1::Site before = document_;
    change();
    const absl::StatusOr<bundle::Site> site = bundle::Site::Compile(document_);
    document_ = before;
    return site.ok() ? "taken" : std::string(site.status().message());
  }

  std::vector<std::string> hardware_ = {"arm-900"};
  v1::ControlPolicy policy_;
  v1::Site document_;
};

TEST_F(ArmCertificateTest, AllowsAllOfIt) {
  EXPECT_THAT(Check(), IsEmpty());
  for (const v1::CertifiedJoint& joint : arm().joints()) asked(joint.id()) = joint.limits();
  EXPECT_THAT(Check(), IsEmpty());
}

TEST_F(ArmCertificateTest, AllowsNoJointMore) {
  const v1::JointLimit elbow = certified(2).limits();
  asked("elbow") = elbow;
  asked("elbow").set_q_min_rad(elbow.q_min_rad() - 0.001);
  EXPECT_THAT(Check(), ElementsAre("S9 joints.elbow.q_min_rad asks for -2.601 of 'arm-900', which "
                                   "is certified for -2.6"));
  asked("elbow") = elbow;
  asked("elbow").set_q_max_rad(elbow.q_max_rad() + 0.001);
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("S9 joints.elbow.q_max_rad asks for 2.601")));
  asked("elbow") = elbow;
  asked("elbow").set_qd_abs_max_radps(elbow.qd_abs_max_radps() + 0.001);
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("S9 joints.elbow.qd_abs_max_radps asks for 3.001")));
  asked("elbow") = elbow;
  asked("elbow").set_qdd_abs_max_radps2(elbow.qdd_abs_max_radps2() + 0.001);
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("S9 joints.elbow.qdd_abs_max_radps2 asks for 8.001")));
}

TEST_F(ArmCertificateTest, HoldsJerkAndTorqueToItWhereItNamesThem) {
  certified(2).mutable_limits()->clear_tau_abs_max_nm();
  asked("elbow").set_tau_abs_max_nm(1000);
  EXPECT_THAT(Check(), IsEmpty());
  certified(2).mutable_limits()->set_tau_abs_max_nm(1000);
  certified(2).mutable_limits()->set_qddd_abs_max_radps3(120);
  EXPECT_THAT(Check(), IsEmpty());

  certified(2).mutable_limits()->set_tau_abs_max_nm(999.5);
  certified(2).mutable_limits()->set_qddd_abs_max_radps3(119.5);
  EXPECT_THAT(Check(),
              ElementsAre(HasSubstr("joints.elbow.qddd_abs_max_radps3 asks for 120 of 'arm-900', "
                                    "which is certified for 119.5"),
                          HasSubstr("joints.elbow.tau_abs_max_nm asks for 1000 of 'arm-900', which "
                                    "is certified for 999.5")));

  asked("elbow").clear_tau_abs_max_nm();
  asked("elbow").clear_qddd_abs_max_radps3();
  EXPECT_THAT(Check(), ElementsAre("S9 joints.elbow.qddd_abs_max_radps3 must be given: 'arm-900' "
                                   "is certified for 119.5",
                                   "S9 joints.elbow.tau_abs_max_nm must be given: 'arm-900' is "
                                   "certified for 999.5"))
      << "without it a policy sets no bound at all";
}

TEST_F(ArmCertificateTest, AllowsNoFasterTool) {
  policy_.mutable_arm()->set_tcp_v_max_mps(0.2501);
  EXPECT_THAT(Check(), ElementsAre("S9 arm.tcp_v_max_mps asks for 0.2501 of 'arm-900', which is "
                                   "certified for 0.25"));
}

TEST_F(ArmCertificateTest, SaysByHowLittleAPolicyAsksForMore) {
  policy_.mutable_arm()->set_tcp_v_max_mps(0.2500001);
  EXPECT_THAT(Check(), ElementsAre("S9 arm.tcp_v_max_mps asks for 0.2500001 of 'arm-900', which is "
                                   "certified for 0.25"));
}

TEST_F(ArmCertificateTest, OfWheelsAllowsNoJoints) {
  EXPECT_OK(
      agent::base::ReadYaml(tests::NavFile("../site/hall.yaml"), "site", "site/1", document_));
  policy_.set_robot_class("diff_drive");
  hardware_ = {"diff-drive-2"};
  EXPECT_THAT(Check(), ElementsAre("S9 command.type must be twist2d: 'diff-drive-2' is certified "
                                   "for wheels, and for no joints"));
}

// Another kind of arm stands in the cell as well.
TEST_F(ArmCertificateTest, IsOfOneOfTheSitesArmsWhereNoHardwareIsNamed) {
  hardware_ = {};
  v1::Capability& other = (*document_.mutable_robots())["arm-500"];
  other = arm();
  other.mutable_joints(1)->mutable_link()->set_a_m(0.25);
  EXPECT_THAT(Check(), IsEmpty());
  hardware_ = {"arm-500", "arm-900"};
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("arm.chain[1].a_m must be 0.25, as the link of joint "
                                             "'shoulder' of 'arm-500'")));
  hardware_ = {};
  policy_.mutable_arm()->set_tcp_v_max_mps(0.26);
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("asks for 0.26 of 'arm-900'")))
      << "of the arm that it fits best";
  policy_.mutable_arm()->mutable_chain(1)->set_a_m(0.25);
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("asks for 0.26 of 'arm-500'")));
}

TEST_F(ArmCertificateTest, OfOtherJointsIsTheLastThatAPolicyIsJudgedBy) {
  hardware_ = {};
  v1::Capability& other = (*document_.mutable_robots())["arm-500"];
  other = arm();
  other.mutable_joints()->RemoveLast();
  EXPECT_THAT(Check(), IsEmpty());
  policy_.mutable_arm()->set_tcp_v_max_mps(0.26);
  asked("elbow").set_q_max_rad(2.75);
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("'arm-900'"), HasSubstr("'arm-900'")));
  document_.mutable_robots()->erase("arm-900");
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("command.fields must be the joints of 'arm-500'")));
}

TEST_F(ArmCertificateTest, OfNoneOfTheSitesArmsIsSaid) {
  hardware_ = {};
  document_.clear_robots();
  EXPECT_THAT(Check(),
              ElementsAre("S9 robot_class site 'assembly-cell' certifies no robot of class "
                          "arm"));
}

TEST_F(ArmCertificateTest, IsOfTheseJointsInTheirOrderFromTheFoot) {
  policy_.mutable_command()->mutable_fields()->SwapElements(3, 4);
  EXPECT_THAT(Check(),
              ElementsAre("S9 command.fields must be the joints of 'arm-900' from its foot "
                          "on: base, shoulder, elbow, wrist_1, wrist_2, wrist_3"));
  policy_.mutable_command()->mutable_fields()->SwapElements(3, 4);
  policy_.mutable_command()->mutable_fields()->RemoveLast();
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("S9 command.fields must be the joints")));
}

TEST_F(ArmCertificateTest, IsOfTheseLinks) {
  const auto wrong = [this](int i, void (v1::DhLink::*set)(double), double value) {
    v1::DhLink& link = *policy_.mutable_arm()->mutable_chain(i);
    const v1::DhLink before = link;
    (link.*set)(value);
    const std::vector<std::string> found = Check();
    link = before;
    return found;
  };
  EXPECT_THAT(wrong(1, &v1::DhLink::set_a_m, 0.44),
              ElementsAre("S9 arm.chain[1].a_m must be 0.45, as the link of joint 'shoulder' of "
                          "'arm-900' has it, is 0.44"));
  EXPECT_THAT(wrong(0, &v1::DhLink::set_alpha_rad, 1.5708),
              ElementsAre("S9 arm.chain[0].alpha_rad must be 1.570796326794897, as the link of "
                          "joint 'base' of 'arm-900' has it, is 1.5708"));
  EXPECT_THAT(wrong(5, &v1::DhLink::set_d_m, 0.05),
              ElementsAre(HasSubstr("chain[5].d_m must be 0.1, as the link of joint 'wrist_3'")))
      << "a shorter tool than there is";
  EXPECT_THAT(wrong(0, &v1::DhLink::set_theta_offset_rad, 0.1),
              ElementsAre(HasSubstr("arm.chain[0].theta_offset_rad must be 0,")));
  policy_.mutable_arm()->mutable_chain(3)->set_a_m(0.5);
  policy_.mutable_arm()->mutable_chain(3)->set_d_m(0.5);
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("chain[3].a_m"), HasSubstr("chain[3].d_m")));
}

TEST_F(ArmCertificateTest, SaysAllThatAPolicyIsHeldTo) {
  EXPECT_EQ(Refusal([] {}), "taken");
  EXPECT_THAT(Refusal([this] { arm().clear_joints(); }),
              HasSubstr("robots.arm-900.joints] must be 1 to 32 joints, from the foot on; are 0"));
  EXPECT_THAT(Refusal([this] {
                while (arm().joints_size() < 33) {
                  *arm().add_joints() = arm().joints(0);
                  certified(arm().joints_size() - 1).set_id(std::to_string(arm().joints_size()));
                }
              }),
              HasSubstr("are 33"));
  EXPECT_EQ(Refusal([this] {
              while (arm().joints_size() < 32) {
                *arm().add_joints() = arm().joints(0);
                certified(arm().joints_size() - 1).set_id(std::to_string(arm().joints_size()));
              }
            }),
            "taken");
  EXPECT_THAT(Refusal([this] { arm().clear_tcp_v_max_mps(); }), HasSubstr("tcp_v_max_mps"));
  EXPECT_THAT(Refusal([this] { certified(1).clear_id(); }),
              HasSubstr("joints[1].id] must be given"));
  EXPECT_THAT(Refusal([this] { certified(1).set_id("base"); }), HasSubstr("is 'base'"));
  EXPECT_THAT(Refusal([this] { certified(1).clear_link(); }),
              HasSubstr("joints[1].link] must be given"));
  EXPECT_THAT(Refusal([this] { certified(1).clear_limits(); }),
              HasSubstr("joints[1].limits] must be given: a certificate says what the arm can do"));
  EXPECT_THAT(Refusal([this] { certified(1).mutable_link()->set_d_m(kNan); }),
              HasSubstr("joints[1].link] must have finite numbers"));
}

TEST_F(ArmCertificateTest, HasLimitsThatHoldSomething) {
  const auto refusal = [this](void (v1::JointLimit::*set)(double), double value) {
    return Refusal([&] { (certified(1).mutable_limits()->*set)(value); });
  };
  EXPECT_THAT(refusal(&v1::JointLimit::set_q_max_rad, -0.1),
              HasSubstr("joints[1].limits.q_max_rad] must be above q_min_rad (-0.1), is -0.1"));
  EXPECT_EQ(refusal(&v1::JointLimit::set_q_max_rad, -0.09), "taken");
  for (const double none : {0.0, -1.0, kNan, std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(refusal(&v1::JointLimit::set_qd_abs_max_radps, none), HasSubstr("qd_abs_max"));
    EXPECT_THAT(refusal(&v1::JointLimit::set_qdd_abs_max_radps2, none), HasSubstr("qdd_abs_max"));
    EXPECT_THAT(refusal(&v1::JointLimit::set_qddd_abs_max_radps3, none), HasSubstr("qddd_abs"));
    EXPECT_THAT(refusal(&v1::JointLimit::set_tau_abs_max_nm, none), HasSubstr("tau_abs_max_nm"));
  }
  EXPECT_THAT(refusal(&v1::JointLimit::set_q_max_rad, kNan), HasSubstr("q_max_rad"));
  EXPECT_THAT(refusal(&v1::JointLimit::set_q_min_rad, -std::numeric_limits<double>::infinity()),
              HasSubstr("q_max_rad"));
}

TEST_F(ArmCertificateTest, SaysNothingOfWheelsNorThatOfWheelsOfJoints) {
  EXPECT_THAT(
      Refusal([this] { arm().set_vx_max_mps(1); }),
      HasSubstr("must give an arm's joints and tcp_v_max_mps: other numbers are of wheels"));
  EXPECT_OK(
      agent::base::ReadYaml(tests::NavFile("../site/hall.yaml"), "site", "site/1", document_));
  const auto base = [this]() -> v1::Capability& {
    return document_.mutable_robots()->at("diff-drive-2");
  };
  EXPECT_THAT(Refusal([&] { base().set_tcp_v_max_mps(0.25); }),
              HasSubstr("must not give joints nor tcp_v_max_mps: they are of arms"));
  EXPECT_THAT(Refusal([&] { base().add_joints(); }), HasSubstr("they are of arms"));
  EXPECT_EQ(Refusal([] {}), "taken");
}

}  // namespace
