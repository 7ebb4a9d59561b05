#include "agent/base/worker_channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <initializer_list>
#include <string>
#include <thread>
#include <vector>

#include "agent/base/sealed_memory.h"
#include "tests/support/status_matchers.h"

namespace agent::base {
namespace {

using absl::StatusCode;
using std::chrono_literals::operator""s;
using testing::HasSubstr;
using ::tests::StatusIs;

ModelSignature Signature() {
  return {.inputs = {{"scan", {1, 24}}, {"goal", {1, 2}}}, .outputs = {{"command", {1, 2}}}};
}

UniqueFd Duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

// Both ends in one process; no test here needs the worker's end to be hostile.
class WorkerChannelTest : public testing::Test {
 protected:
  Nanos In(Nanos time) const { return SystemClock().Now() + time; }

  WorkerChannel control_ = *WorkerChannel::Create(Signature());
  WorkerChannel worker_ = *WorkerChannel::Attach(Duplicate(control_.fd()));
};

TEST_F(WorkerChannelTest, CarriesTheSignature) { EXPECT_EQ(worker_.signature(), Signature()); }

TEST_F(WorkerChannelTest, CarriesARequestAndItsAnswer) {
  control_.input(0)[23] = 1.5F;
  control_.input(1)[1] = -2.0F;
  const uint32_t sequence = control_.Post();

  ASSERT_EQ(worker_.WaitRequest(0), sequence);
  worker_.output(0)[1] = worker_.input(0)[23] + worker_.input(1)[1];
  worker_.Answer(sequence, RunOutcome::kDone);

  EXPECT_EQ(control_.WaitAnswer(sequence, In(10s)), RunOutcome::kDone);
  EXPECT_EQ(control_.output(0)[1], -0.5F);
}

TEST_F(WorkerChannelTest, MissesTheDeadlineWhenNobodyAnswers) {
  EXPECT_EQ(control_.WaitAnswer(control_.Post(), In(Nanos(1'000'000))),
            RunOutcome::kDeadlineMissed);
  EXPECT_EQ(control_.WaitAnswer(control_.Post(), Nanos(-1)), RunOutcome::kDeadlineMissed);
}

TEST_F(WorkerChannelTest, DropsTheLateAnswerToAnEarlierRequest) {
  const uint32_t first = control_.Post();
  ASSERT_EQ(control_.WaitAnswer(first, In(0s)), RunOutcome::kDeadlineMissed);
  const uint32_t second = control_.Post();

  worker_.Answer(first, RunOutcome::kDone);
  EXPECT_EQ(control_.WaitAnswer(second, In(0s)), RunOutcome::kDeadlineMissed);

  worker_.Answer(second, RunOutcome::kDone);
  EXPECT_EQ(control_.WaitAnswer(second, In(0s)), RunOutcome::kDone);
}

TEST_F(WorkerChannelTest, TellsWhetherTheWorkerIsStillAtWork) {
  EXPECT_FALSE(control_.Working());
  const uint32_t first = control_.Post();
  EXPECT_TRUE(control_.Working());
  ASSERT_EQ(control_.WaitAnswer(first, In(0s)), RunOutcome::kDeadlineMissed);
  EXPECT_TRUE(control_.Working()) << "the deadline ends the wait, not the work";
  worker_.Answer(first, RunOutcome::kDone);
  EXPECT_FALSE(control_.Working());

  control_.Post();
  worker_.Answer(first, RunOutcome::kDone);
  EXPECT_TRUE(control_.Working()) << "that was the one before";
  control_.Abandon();
  EXPECT_FALSE(control_.Working());
}

TEST_F(WorkerChannelTest, GivesTheWorkerOnlyTheNewestRequest) {
  control_.Post();
  control_.Post();
  const uint32_t newest = control_.Post();
  EXPECT_EQ(worker_.WaitRequest(0), newest);
}

TEST_F(WorkerChannelTest, CarriesAFailedRun) {
  const uint32_t sequence = control_.Post();
  worker_.Answer(sequence, RunOutcome::kFailed);
  EXPECT_EQ(control_.WaitAnswer(sequence, In(10s)), RunOutcome::kFailed);
}

TEST_F(WorkerChannelTest, AbandonEndsAWaitInProgress) {
  const uint32_t sequence = control_.Post();
  std::thread reaper([this] { control_.Abandon(); });
  EXPECT_EQ(control_.WaitAnswer(sequence, In(600s)), RunOutcome::kFailed);
  reaper.join();
  EXPECT_EQ(control_.WaitAnswer(control_.Post(), In(600s)), RunOutcome::kFailed);
}

TEST_F(WorkerChannelTest, AbandonEndsAWaitForTheModel) {
  EXPECT_FALSE(control_.WaitLoaded(In(0s)));
  std::thread reaper([this] { control_.Abandon(); });
  EXPECT_TRUE(control_.WaitLoaded(In(600s)));
  reaper.join();
  EXPECT_EQ(control_.state(), WorkerState::kFailed);
  EXPECT_EQ(control_.text(), "the worker is gone");
}

TEST_F(WorkerChannelTest, CarriesStateAndTextCutAndPrintable) {
  EXPECT_EQ(control_.state(), WorkerState::kLoading);
  worker_.SetState(WorkerState::kFailed, "bad\nmodel" + std::string(5'000, 'x'));
  EXPECT_TRUE(control_.WaitLoaded(In(0s)));
  EXPECT_EQ(control_.state(), WorkerState::kFailed);
  EXPECT_TRUE(control_.text().starts_with("bad?modelxxx"));
  EXPECT_EQ(control_.text().size(), 511U);

  worker_.SetState(static_cast<WorkerState>(77), "");
  EXPECT_EQ(control_.state(), WorkerState::kFailed);
}

TEST_F(WorkerChannelTest, CannotBeCutShortUnderTheOtherSide) {
  EXPECT_NE(ftruncate(worker_.fd(), 0), 0);
  EXPECT_NE(ftruncate(worker_.fd(), 1 << 20), 0);
}

TEST(WorkerChannelCreateTest, RefusesSignaturesBeyondItsCaps) {
  const TensorSpec good{"x", {1, 2}};
  const auto expect_refused = [&](TensorSpec bad, const char* says) {
    EXPECT_THAT(WorkerChannel::Create({.inputs = {bad}, .outputs = {good}}),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(says)));
    EXPECT_THAT(WorkerChannel::Create({.inputs = {good}, .outputs = {bad}}),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(says)));
  };
  expect_refused({"x", {1, 0}}, "dimension of 0");
  expect_refused({"x", {-1, 2}}, "dimension of -1");
  expect_refused({"", {1}}, "name of 0 bytes");
  expect_refused({std::string(64, 'n'), {1}}, "name of 64 bytes");
  expect_refused({"x", {1, 1, 1, 1, 1, 1, 1, 1, 1}}, "9 dimensions");
  expect_refused({"x", {int64_t{1} << 62, 4}}, "more than");
  expect_refused({"x", {WorkerChannel::kMaxElements}}, "16777218 elements");
  EXPECT_THAT(WorkerChannel::Create({.inputs = {}, .outputs = {good}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("0 inputs")));
  EXPECT_THAT(
      WorkerChannel::Create({.inputs = std::vector<TensorSpec>(17, good), .outputs = {good}}),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("17 inputs")));
}

TEST(WorkerChannelAttachTest, RefusesWhatIsNoChannel) {
  EXPECT_THAT(WorkerChannel::Attach(UniqueFd(open("/dev/null", O_RDWR))),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a worker channel")));
  EXPECT_THAT(WorkerChannel::Attach(*SealBytes("x", "short")),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("5 bytes")));
}

TEST(WorkerChannelAttachTest, SurvivesEveryFlippedByteOfItsHeader) {
  const WorkerChannel channel = *WorkerChannel::Create(Signature());
  constexpr size_t kHeader = 4096;  // magic to the last tensor record, and more
  auto* bytes = static_cast<unsigned char*>(
      mmap(nullptr, kHeader, PROT_READ | PROT_WRITE, MAP_SHARED, channel.fd(), 0));
  ASSERT_NE(bytes, MAP_FAILED);
  size_t refused = 0;
  for (size_t i = 0; i < kHeader; ++i) {
    for (const unsigned char mask : std::initializer_list<unsigned char>{0x01, 0x80, 0xff}) {
      bytes[i] = static_cast<unsigned char>(bytes[i] ^ mask);
      const auto attached = WorkerChannel::Attach(Duplicate(channel.fd()));
      refused += attached.ok() ? 0 : 1;
      bytes[i] = static_cast<unsigned char>(bytes[i] ^ mask);
    }
  }
  EXPECT_GT(refused, 50U);
  EXPECT_OK(WorkerChannel::Attach(Duplicate(channel.fd())));
  munmap(bytes, kHeader);
}

TEST(SealedMemoryTest, HandsOnBytesThatNobodyCanChange) {
  ASSERT_OK_AND_ASSIGN(const UniqueFd fd, SealBytes("model", "weights"));
  EXPECT_NE(pwrite(fd.get(), "W", 1, 0), 1);
  EXPECT_NE(ftruncate(fd.get(), 3), 0);
  ASSERT_OK_AND_ASSIGN(const SealedView view, SealedView::Map(fd.get(), 100));
  EXPECT_EQ(view.bytes(), "weights");
}

TEST(SealedMemoryTest, RefusesMemoryThatIsNotSealedEmptyOrTooLarge) {
  const UniqueFd open(memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(pwrite(open.get(), "x", 1, 0), 1);
  EXPECT_THAT(SealedView::Map(open.get(), 100),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("can still be changed")));
  EXPECT_THAT(SealedView::Map(-1, 100),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not sealed memory")));
  EXPECT_THAT(SealedView::Map(SealBytes("empty", "")->get(), 100),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("0 bytes")));
  EXPECT_THAT(SealedView::Map(SealBytes("large", std::string(101, 'x'))->get(), 100),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("101 bytes")));
}

}  // namespace
}  // namespace agent::base
