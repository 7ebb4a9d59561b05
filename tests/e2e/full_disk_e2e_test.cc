#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "gatekeeper/sim/onnx_writer.h"
#include "tests/e2e/robot_site.h"
#include "tests/e2e/stage.h"
#include "tests/support/nav_release.h"

// A unit that does not fit: refused with a clear message, nothing half-written, and every robot
// runs on with the unit it has.

namespace tests {
namespace {

namespace fs = std::filesystem;
namespace v1 = ::gatekeeper::v1;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr size_t kRoom = 3 << 20;  // bytes a file may have; the model below needs more
constexpr char kLargeVersion[] = "2.0.0";

// Drives in circles of a metre whatever it sees, and weighs 5 MB.
std::string LargeModel() {
  using gatekeeper::sim::Activation;
  constexpr int64_t kWide = 1100;
  const auto layer = [](int64_t inputs, int64_t outputs, float bias) {
    return gatekeeper::sim::DenseLayer{
        .inputs = inputs,
        .outputs = outputs,
        .weights = std::vector<float>(static_cast<size_t>(inputs * outputs), 1e-6F),
        .bias = std::vector<float>(static_cast<size_t>(outputs), bias),
        .activation = Activation::kTanh};
  };
  const gatekeeper::sim::Mlp mlp{
      .inputs = {{"features", {1, 27}}},
      .layers = {layer(27, kWide, 0), layer(kWide, kWide, 0), layer(kWide, 2, 0.6F)},
      .output = "command"};
  return WriteOnnx(MlpGraph(mlp));
}

// Bytes of the largest file in a folder, which must hold none that was only begun.
size_t LargestIn(const std::string& folder) {
  size_t largest = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().filename();
    EXPECT_THAT(name, Not(AnyOf(HasSubstr(".part"), HasSubstr("arriving")))) << "half-written";
    largest = std::max(largest, static_cast<size_t>(entry.file_size()));
  }
  return largest;
}

class FullDiskTest : public testing::Test {
 protected:
  FullDiskTest() {
    const GitFolder& repository = stage_.repository();
    repository.Write("models/large.onnx", LargeModel());
    repository.Write(std::string("release-") + kLargeVersion + ".yaml",
                     Edit(Edit(ReadWhole(repository.path() + "/release-1.0.0.yaml"),
                               "version: 1.0.0", std::string("version: ") + kLargeVersion),
                          "models/nav-1.0.0.onnx", "models/large.onnx"));
    repository.Commit("a large model");
    stage_.Serve();
    EXPECT_EQ(stage_.Cli({"fleet", "create", "north"}).code, 0);
    robot_ = std::make_unique<RobotSite>(stage_, "north", "r1");
    small_ = stage_.PushedUnit("1.0.0");
    EXPECT_EQ(RollOut("1.0.0").code, 0);
  }

  Finished RollOut(const std::string& version) {
    return stage_.Cli({"rollout", "start", Title(version), "--fleet", "north", "--plan",
                       stage_.at_once(), "--watch", "--timeout", "300"});
  }
  // After an attempt that found no room.
  void ExpectRunsTheSmallUnitOnly() {
    const RobotProgram::Life life = robot_->program().Lived();
    EXPECT_EQ(life.units, std::set<std::string>{small_}) << robot_->Describe();
    EXPECT_TRUE(robot_->SettlesOn(small_)) << robot_->Describe();
    for (const auto& entry : fs::directory_iterator(robot_->state() + "/slots")) {
      EXPECT_EQ(entry.path().filename(), small_);
    }
    EXPECT_LT(LargestIn(robot_->state() + "/blobs"), kRoom / 2);
  }
  void RestartAgent(size_t largest_file, const std::string& reserve_mb) {
    robot_->agent().Terminate();
    Launch& launch = robot_->agent().launch();
    launch.largest_file = largest_file;
    if (launch.words[launch.words.size() - 2] == "--reserve-mb") {
      launch.words.resize(launch.words.size() - 2);
    }
    launch.words.insert(launch.words.end(), {"--reserve-mb", reserve_mb});
    robot_->agent().Start();
    EXPECT_TRUE(Eventually([this] { return robot_->View().connected(); })) << robot_->Describe();
  }
  void RestartServer(size_t largest_file) {
    stage_.server().Terminate();
    stage_.server().launch().largest_file = largest_file;
    stage_.Serve();
  }

  Stage stage_;
  std::unique_ptr<RobotSite> robot_;
  std::string small_;
};

TEST_F(FullDiskTest, AUnitThatDoesNotFitLeavesEverythingAsItWas) {
  const std::string large = stage_.SealedUnit(kLargeVersion);
  ASSERT_GT(fs::file_size(large + "/model/model.onnx"), kRoom);

  // The gatekeeper's disk.
  RestartServer(kRoom);
  const Finished refused = stage_.Cli({"unit", "push", large});
  EXPECT_EQ(refused.code, 1) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("make room on the gatekeeper's disk"));
  EXPECT_THAT(stage_.Cli({"unit", "list"}).out, Not(HasSubstr(kLargeVersion)));
  EXPECT_LT(LargestIn(stage_.home() + "/blobs"), kRoom / 2);
  RestartServer(0);
  const std::string digest = stage_.PushedUnit(kLargeVersion);
  ASSERT_TRUE(Eventually([this] { return robot_->View().connected(); })) << robot_->Describe();

  // The robot's disk, looked at before the download ...
  RestartAgent(0, "1000000000");
  robot_->Forget();
  const Finished no_room = RollOut(kLargeVersion);
  EXPECT_EQ(no_room.code, 7) << no_room.out << no_room.err;
  EXPECT_THAT(no_room.out, HasSubstr("no room for nav@2.0.0"));
  ExpectRunsTheSmallUnitOnly();

  // ... and full all the same in the midst of it. Nothing of this is held against the unit.
  RestartAgent(kRoom, "1");
  robot_->Forget();
  const Finished full = RollOut(kLargeVersion);
  EXPECT_EQ(full.code, 7) << full.out << full.err;
  EXPECT_THAT(full.out, HasSubstr("free some space"));
  ExpectRunsTheSmallUnitOnly();

  // There is room again.
  RestartAgent(0, "1");
  const Finished fits = RollOut(kLargeVersion);
  EXPECT_EQ(fits.code, 0) << fits.out << fits.err << robot_->Describe();
  EXPECT_TRUE(robot_->SettlesOn(digest)) << robot_->Describe();
  EXPECT_THAT(robot_->pointer().complaint(), IsEmpty());
}

}  // namespace
}  // namespace tests
