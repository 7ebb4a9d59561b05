#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "agent/recording/clip.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/recorder_ring.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::recording {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using tests::StatusIs;

v1::Observation Packet(uint64_t seq) {
  v1::Observation packet;
  packet.set_seq(seq);
  for (int i = 0; i < 360; ++i)
    packet.mutable_scan()->add_ranges_m(
        static_cast<float>((seq * 31 + static_cast<uint64_t>(i) * 17) % 8191) / 100);
  return packet;
}

// 20 Hz.
Nanos At(uint64_t seq) { return std::chrono::milliseconds(50) * seq; }

absl::StatusOr<std::vector<uint64_t>> Seqs(const std::string& path, Truncation truncation) {
  absl::StatusOr<ObservationReader> reader =
      ObservationReader::Open(path, {}, {.truncation = truncation});
  if (!reader.ok()) return reader.status();
  std::vector<uint64_t> seqs;
  const absl::Status status = reader->ForEach([&seqs](const RecordedItem& item) {
    seqs.push_back(std::get<v1::Observation>(item.content).seq());
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return seqs;
}

class RecorderRingTest : public testing::Test {
 protected:
  RingOptions Options() {
    return {
        .folder = folder_ / "recorder", .max_file_bytes = 200'000, .max_files = 3, .recording = {}};
  }
  RecorderRing Ring() {
    absl::StatusOr<RecorderRing> ring = RecorderRing::Open(Options());
    EXPECT_OK(ring.status());
    return *std::move(ring);
  }
  std::vector<std::string> Files() { return *RecorderRing::FilesOf(folder_ / "recorder"); }

  tests::TempFolder folder_;
};

TEST_F(RecorderRingTest, KeepsTheNewestFilesWithinItsBoundAndEachIsValid) {
  RecorderRing ring = Ring();
  for (uint64_t seq = 1; seq <= 1000; ++seq) ASSERT_OK(ring.Write(Packet(seq), At(seq)));
  ASSERT_OK(ring.Rotate());

  ASSERT_THAT(Files(), SizeIs(3));
  std::vector<uint64_t> all;
  for (const std::string& path : Files()) {
    EXPECT_LT(std::filesystem::file_size(path), 300'000u);
    ASSERT_OK_AND_ASSIGN(const std::vector<uint64_t> seqs, Seqs(path, Truncation::kRefuse));
    all.insert(all.end(), seqs.begin(), seqs.end());
  }
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.back(), 1000u);
  EXPECT_EQ(all.back() - all.front() + 1, all.size()) << "no packet is lost between files";
}

TEST_F(RecorderRingTest, GoesOnWithTheNextNumberAfterARestart) {
  for (int run = 0; run < 2; ++run) {
    RecorderRing ring = Ring();
    ASSERT_OK(ring.Write(Packet(1), At(1)));
    ASSERT_OK(ring.Rotate());
  }
  ASSERT_THAT(Files(), SizeIs(2));
  EXPECT_THAT(Files(),
              ElementsAre(HasSubstr("flight-000001.mcap"), HasSubstr("flight-000002.mcap")));
}

// What kill -9 leaves: everything but the last second, and the reader says that it is not whole.
TEST_F(RecorderRingTest, AKilledRecorderLosesAtMostItsLastSecond) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    RecorderRing ring = Ring();
    for (uint64_t seq = 1; seq <= 100; ++seq)
      if (!ring.Write(Packet(seq), At(seq)).ok()) _exit(1);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  close(ready[1]);  // a child that dies early is an end of file, not a wait for ever
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  close(ready[0]);

  ASSERT_THAT(Files(), SizeIs(1));
  EXPECT_THAT(Seqs(Files()[0], Truncation::kRefuse),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("breaks off before its DataEnd")));
  ASSERT_OK_AND_ASSIGN(const std::vector<uint64_t> seqs, Seqs(Files()[0], Truncation::kRecover));
  EXPECT_GE(seqs.size(), 80u);  // 20 packets are a second
  ASSERT_OK_AND_ASSIGN(const uint64_t copied, WriteClip({.sources = Files(),
                                                         .from_ns = At(10).count(),
                                                         .to_ns = At(19).count(),
                                                         .destination = folder_ / "clip.mcap",
                                                         .metadata = {},
                                                         .truncation = Truncation::kRecover}));
  EXPECT_EQ(copied, 20u);
}

TEST_F(RecorderRingTest, FlushMakesTheLastSecondReadableToo) {
  RecorderRing ring = Ring();
  ASSERT_OK(ring.Write(Packet(1), At(1)));
  ASSERT_OK(ring.Flush());
  ASSERT_OK_AND_ASSIGN(const std::vector<uint64_t> seqs, Seqs(Files()[0], Truncation::kRecover));
  EXPECT_THAT(seqs, ElementsAre(1));
}

TEST_F(RecorderRingTest, APacketThatCannotBeRecordedCostsOnlyItself) {
  RecorderRing ring = Ring();
  v1::Observation bad;
  bad.mutable_image()->set_encoding("bayer");
  ASSERT_OK(ring.Write(Packet(1), At(1)));
  EXPECT_THAT(ring.Write(bad, At(2)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bayer")));
  ASSERT_OK(ring.Write(Packet(3), At(3)));
  ASSERT_OK(ring.Rotate());
  ASSERT_THAT(Files(), SizeIs(1));
  EXPECT_THAT(*Seqs(Files()[0], Truncation::kRefuse), ElementsAre(1, 3));
}

// A limit on file size stands for the full disk: both fail inside write().
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit lower{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &lower);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(RecorderRingTest, AFailedWriteEndsOnlyItsFileAndCostsNoOlderOne) {
  RecorderRing ring = Ring();
  ASSERT_OK(ring.Write(Packet(1), At(1)));
  ASSERT_OK(ring.Rotate());
  {
    const FileSizeLimit full(100);
    for (int attempt = 0; attempt < 5; ++attempt) {
      EXPECT_OK(ring.Write(Packet(2), At(2)));  // still in memory
      EXPECT_FALSE(ring.Flush().ok());
    }
  }
  ASSERT_OK(ring.Write(Packet(3), At(3)));
  ASSERT_OK(ring.Rotate());

  ASSERT_THAT(Files(), SizeIs(2));
  EXPECT_THAT(*Seqs(Files()[0], Truncation::kRefuse), ElementsAre(1));
  EXPECT_THAT(*Seqs(Files()[1], Truncation::kRefuse), ElementsAre(3));
}

TEST_F(RecorderRingTest, LeavesOtherFilesAlone) {
  RecorderRing ring = Ring();
  for (const char* name : {"flight-.mcap", "flight-1x.mcap", "notes.txt"})
    tests::WriteBytes(folder_ / ("recorder/" + std::string(name)), "mine");
  for (uint64_t seq = 1; seq <= 5; ++seq) {
    ASSERT_OK(ring.Write(Packet(seq), At(seq)));
    ASSERT_OK(ring.Rotate());
  }
  EXPECT_THAT(Files(), SizeIs(3));
  EXPECT_EQ(tests::ReadBytes(folder_ / "recorder/flight-1x.mcap"), "mine");
  EXPECT_EQ(tests::ReadBytes(folder_ / "recorder/notes.txt"), "mine");
}

TEST_F(RecorderRingTest, IsBoundedByBytesWhateverAnEarlierProcessLeft) {
  {
    RecorderRing ring = Ring();
    ASSERT_OK(ring.Write(Packet(1), At(1)));
    ASSERT_OK(ring.Rotate());
  }
  std::filesystem::resize_file(Files()[0], 600'001);  // one byte more than three full files
  RecorderRing ring = Ring();
  ASSERT_OK(ring.Write(Packet(2), At(2)));
  EXPECT_THAT(Files(), ElementsAre(HasSubstr("flight-000002.mcap")));
}

TEST_F(RecorderRingTest, RefusesABoundOfNothing) {
  RingOptions options = Options();
  options.max_files = 0;
  EXPECT_THAT(RecorderRing::Open(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("one file")));
}

}  // namespace
}  // namespace agent::recording
