#include <gmock/gmock.h>

#include <thread>

#include "agent/base/files.h"
#include "agent/control/flight_recorder.h"
#include "agent/recording/observation_reader.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

v1::Command CommandNumber(uint64_t seq) {
  v1::Command command;
  command.set_seq(seq);
  return command;
}

TEST(FlightRecorderTest, WritesEverythingThatAMomentOfContentionHeldBack) {
  tests::TempFolder folder;
  constexpr uint64_t kItems = 300;
  {
    FlightRecorder recorder({.folder = folder / "recorder", .recording = {}});
    // Much faster than any robot, so that both sides want the queue all the time.
    for (uint64_t i = 1; i <= kItems; ++i) recorder.Add(CommandNumber(i), milliseconds(i));
    EXPECT_EQ(recorder.dropped(), 0);
  }

  ASSERT_OK_AND_ASSIGN(const auto files, recording::RecorderRing::FilesOf(folder / "recorder"));
  ASSERT_EQ(files.size(), 1);
  ASSERT_OK_AND_ASSIGN(const auto reader,
                       recording::ObservationReader::Open(files[0], {{"command", "/command"}}));
  uint64_t next = 1;
  ASSERT_OK(reader.ForEach([&](const recording::RecordedItem& item) {
    EXPECT_EQ(std::get<v1::Command>(item.content).seq(), next++);
    return absl::OkStatus();
  }));
  EXPECT_EQ(next, kItems + 1);
}

TEST(FlightRecorderTest, CountsWhatItDropsWhenItsFolderCannotBeUsed) {
  tests::TempFolder folder;
  const std::string nowhere = folder / "file";
  ASSERT_OK(base::OsFiles().WriteDurably(nowhere, "not a folder", 0600));
  FlightRecorder recorder({.folder = nowhere + "/recorder", .recording = {}});

  recorder.Add(CommandNumber(1), milliseconds(1));
  while (recorder.dropped() == 0) std::this_thread::yield();

  EXPECT_EQ(recorder.dropped(), 1);
}

TEST(FlightRecorderTest, DropsAndCountsWhenTheDiskCannotFollow) {
  tests::TempFolder folder;
  FlightRecorder recorder({.folder = folder / "recorder", .recording = {}});
  v1::Observation large;
  large.mutable_image()->set_data(std::string(20 << 20, 'x'));

  for (int i = 0; i < 20; ++i) recorder.Add(large, milliseconds(i));

  EXPECT_GT(recorder.dropped(), 0);
}

}  // namespace
}  // namespace agent::control
