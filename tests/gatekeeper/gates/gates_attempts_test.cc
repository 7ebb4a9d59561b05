#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "gatekeeper/gates/attempts.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using tests::StatusIs;

class AttemptsTest : public testing::Test {
 protected:
  absl::StatusOr<Attempt> Begin(const std::string& unit = "nav@1.0.0",
                                const std::string& suite = "hall") {
    return log_.Begin(unit, suite, std::string(64, 'a'), 1000);
  }
  void Run(v1::GateOutcome outcome) {
    const auto attempt = Begin();
    ASSERT_OK(attempt);
    ASSERT_OK(log_.End(*attempt, outcome, 2000));
  }
  std::string Text() const {
    std::ifstream file(log_.path(), std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void SetText(const std::string& text) {
    std::ofstream(log_.path(), std::ios::binary | std::ios::trunc) << text;
  }

  tests::TempFolder folder_;
  AttemptLog log_{folder_ / "attempts.log"};
};

TEST_F(AttemptsTest, PassingOnTheThirdTryIsVisible) {
  Run(v1::FAIL);
  Run(v1::INSUFFICIENT);
  ASSERT_OK_AND_ASSIGN(const Attempt third, Begin());
  EXPECT_EQ(third.number, 3u);
  EXPECT_EQ(third.failed_before, 2u);
  ASSERT_OK(log_.End(third, v1::PASS, 3000));
  ASSERT_OK_AND_ASSIGN(const Attempt fourth, Begin());
  EXPECT_EQ(fourth.number, 4u);
  EXPECT_EQ(fourth.failed_before, 2u);
}

TEST_F(AttemptsTest, EachUnitAndSuiteIsCountedByItself) {
  Run(v1::FAIL);
  ASSERT_OK_AND_ASSIGN(const Attempt other_unit, Begin("nav@1.0.1"));
  EXPECT_EQ(other_unit.number, 1u);
  ASSERT_OK_AND_ASSIGN(const Attempt other_suite, Begin("nav@1.0.0", "dock \"2\"\nx"));
  EXPECT_EQ(other_suite.number, 1u);
  ASSERT_OK_AND_ASSIGN(const Attempt again, Begin("nav@1.0.0", "dock \"2\"\nx"));
  EXPECT_EQ(again.number, 2u);
}

TEST_F(AttemptsTest, ANewVersionDoesNotHideTheFailuresOfTheOnesBefore) {
  const auto failed = [&](const std::string& unit) {
    const auto attempt = Begin(unit);
    EXPECT_OK(attempt);
    EXPECT_OK(log_.End(*attempt, v1::FAIL, 2000));
    return attempt->failed_since_pass;
  };
  EXPECT_EQ(failed("nav@1.4.1"), 0u);
  EXPECT_EQ(failed("nav@1.4.2"), 1u);
  EXPECT_EQ(failed("navigator@1.4.3"), 0u);  // another name
  ASSERT_OK(Begin("nav@1.4.3", "dock"));     // another suite
  ASSERT_OK_AND_ASSIGN(const Attempt third, Begin("nav@1.4.3"));
  EXPECT_EQ(third.number, 1u);
  EXPECT_EQ(third.failed_before, 0u);
  EXPECT_EQ(third.failed_since_pass, 2u);
  ASSERT_OK(log_.End(third, v1::PASS, 3000));
  EXPECT_EQ(failed("nav@1.5.0"), 0u);
  EXPECT_EQ(failed("nav@1.4.1"), 1u);
}

TEST_F(AttemptsTest, ALogOfAnEarlierGatekeeperIsReadOn) {
  // Begin, end with FAIL, begin and no end.
  SetText(
      R"(1d657e98aae7241bec4401aa84c5a6295e90b2c28c37281bca906e1c2fecea86 {"attempt":1,"event":"begin","plan":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","suite":"hall","unit":"nav@1.0.0","wall_ms":1000}
)"
      R"(fc2056e10c52af243caf1d2e99120dc5577b584e03d90fb6ffa8a98aed12ed3a {"attempt":1,"event":"end","outcome":"FAIL","suite":"hall","unit":"nav@1.0.0","wall_ms":2000}
)"
      R"(faf0df50c19ec4513e16b9a7d0688cd3ff3e769886ee0a7defd679280c3c219a {"attempt":2,"event":"begin","plan":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","suite":"hall","unit":"nav@1.0.0","wall_ms":3000}
)");
  ASSERT_OK_AND_ASSIGN(const Attempt next, Begin("nav@1.0.1"));
  EXPECT_EQ(next.number, 1u);
  EXPECT_EQ(next.failed_since_pass, 2u);
}

TEST_F(AttemptsTest, ARunThatIsKilledHasHadItsAttempt) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool counted = Begin().ok();
    if (counted) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_OK_AND_ASSIGN(const Attempt next, Begin());
  EXPECT_EQ(next.number, 2u);
  EXPECT_EQ(next.failed_before, 1u);
}

TEST_F(AttemptsTest, AnEditedLineBreaksTheChainAndIsNamed) {
  Run(v1::FAIL);
  Run(v1::FAIL);
  const std::string good = Text();
  const size_t second_line = good.find('\n') + 1;

  std::string edited = good;
  edited.replace(edited.find("FAIL"), 4, "PASS");
  SetText(edited);
  EXPECT_THAT(Begin(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("attempts.log:2")));

  SetText(good.substr(second_line));  // the first attempt taken out
  EXPECT_THAT(Begin(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("attempts.log:1")));
  SetText(good + good.substr(0, second_line));  // an old line put in again
  EXPECT_THAT(Begin(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("attempts.log:5")));
  SetText(good);
  EXPECT_OK(Begin());
}

TEST_F(AttemptsTest, ALineThatAPowerLossCutOffNeverCounted) {
  Run(v1::FAIL);
  const std::string good = Text();
  ASSERT_OK(Begin());
  const std::string more = Text();
  for (size_t size = good.size(); size < more.size(); ++size) {
    SetText(more.substr(0, size));
    ASSERT_OK_AND_ASSIGN(const Attempt attempt, Begin());
    EXPECT_EQ(attempt.number, 2u) << size;
  }
}

TEST_F(AttemptsTest, SurvivesAFlipOfEveryByteWithoutMiscounting) {
  Run(v1::FAIL);
  Run(v1::FAIL);
  const std::string good = Text();
  for (size_t i = 0; i + 1 < good.size(); ++i) {  // the last byte only ends the last line
    std::string flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x55);
    SetText(flipped);
    EXPECT_FALSE(Begin().ok()) << i;
  }
}

TEST_F(AttemptsTest, TwoProcessesAtOnceGetDifferentNumbers) {
  constexpr int kEach = 10;
  const auto count = [this] {
    for (int i = 0; i < kEach; ++i) EXPECT_OK(Begin());
  };
  std::thread one(count);
  std::thread two(count);
  one.join();
  two.join();
  ASSERT_OK_AND_ASSIGN(const Attempt last, Begin());
  EXPECT_EQ(last.number, 2u * kEach + 1);
}

}  // namespace
}  // namespace gatekeeper::gates
