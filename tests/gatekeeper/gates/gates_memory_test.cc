#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "agent/base/sanitized.h"
#include "agent/recording/observation_writer.h"
#include "tests/gatekeeper/gates/suite_fixture.h"

// A replay takes memory by the chunk and the tick, not by the size of the file.

namespace gatekeeper::gates {
namespace {

constexpr int kWidth = 320;
constexpr int kHeight = 240;
constexpr int64_t kPeriod_ns = 50'000'000;

// A drive with a camera that sees noise, which nothing compresses: 230 kB a picture.
Scenario RecordNoise(const std::string& folder, const std::string& id, int pictures) {
  Scenario scenario;
  scenario.document.set_id(id);
  scenario.recording = folder + "/" + id + ".mcap";
  auto writer = agent::recording::ObservationWriter::Create(scenario.recording);
  EXPECT_OK(writer.status());
  std::minstd_rand random(7);
  std::string pixels(size_t{kWidth} * kHeight * 3, '\0');
  for (int i = 0; i < pictures; ++i) {
    v1::Observation observation;
    const int64_t at_ns = tests::kDriveStart_ns + i * kPeriod_ns;
    observation.set_stamp_ns(at_ns);
    observation.mutable_scan()->set_angle_increment_rad(0.1);
    for (int beam = 0; beam < 60; ++beam) observation.mutable_scan()->add_ranges_m(4);
    observation.mutable_odom()->set_x_m(5);
    observation.mutable_odom()->set_y_m(10);
    (*observation.mutable_signals())["goal_bearing_rad"].set_value(0);
    (*observation.mutable_signals())["dust"].set_value(0);
    for (char& byte : pixels) byte = static_cast<char>(random());
    observation.mutable_image()->set_width(kWidth);
    observation.mutable_image()->set_height(kHeight);
    observation.mutable_image()->set_encoding("rgb8");
    observation.mutable_image()->set_data(pixels);
    EXPECT_OK(writer->Write(observation, agent::base::Nanos(at_ns)));
  }
  EXPECT_OK(writer->Close());
  return scenario;
}

struct Peak {
  size_t ticks = 0;
  long kib = 0;
};

// In a process of its own, whose peak is this replay's.
Peak PeakOf(const Scenario& scenario) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    const Replay replay = RunReplay(scenario, *tests::MakeBench(tests::GoodDriver));
    const size_t ticks = replay.status.ok() ? replay.ticks.size() : 0;
    _exit(write(ends[1], &ticks, sizeof(ticks)) == sizeof(ticks) ? 0 : 1);
  }
  Peak peak;
  int status = 0;
  struct rusage usage {};
  EXPECT_EQ(read(ends[0], &peak.ticks, sizeof(peak.ticks)),
            static_cast<ssize_t>(sizeof(peak.ticks)));
  EXPECT_EQ(wait4(child, &status, 0, &usage), child);
  close(ends[0]);
  close(ends[1]);
  peak.kib = usage.ru_maxrss;
  return peak;
}

TEST(ReplayMemoryTest, IsThatOfAChunkWhateverTheSizeOfTheFile) {
  if (agent::base::kSanitized) GTEST_SKIP() << "sanitizers keep freed memory";
  const tests::TempFolder folder;
  const Scenario small = RecordNoise(folder.path(), "small", 40);
  const Scenario large = RecordNoise(folder.path(), "large", 440);
  const auto size = std::filesystem::file_size(large.recording);
  ASSERT_GT(size, 90u << 20);
  const Peak before = PeakOf(small);
  const Peak after = PeakOf(large);
  EXPECT_EQ(before.ticks, 40u);
  EXPECT_EQ(after.ticks, 440u);
  // 400 ticks more, and no picture.
  EXPECT_LT(after.kib - before.kib, 4096) << before.kib << " KiB, " << after.kib << " KiB";
  EXPECT_LT(after.kib, 200 * 1024);
}

}  // namespace
}  // namespace gatekeeper::gates
