#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "agent/base/files.h"
#include "agent/lifecycle/journal.h"
#include "gmock/gmock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace {

namespace v1 = ::gatekeeper::v1;
using agent::lifecycle::Journal;
using agent::lifecycle::Lifecycle;
using agent::lifecycle::NameOf;
using agent::lifecycle::Note;
using agent::lifecycle::ReasonOf;
using tests::IsOk;
using tests::StatusIs;

constexpr int64_t kNow = 1'767'225'600'000;

Lifecycle At(uint64_t generation, agent::lifecycle::State state) {
  Lifecycle lifecycle;
  lifecycle.desired.set_generation(generation);
  lifecycle.desired.set_unit_digest(std::string(64, 'a'));
  lifecycle.state = std::move(state);
  return lifecycle;
}

v1::ControlEvent ControlEvent(uint64_t seq, int64_t wall_ms) {
  v1::ControlEvent event;
  event.set_seq(seq);
  event.set_wall_ms(wall_ms);
  event.set_kind("swapped");
  return event;
}

class JournalTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> Open() {
    auto journal = Journal::Open(path_, kNow);
    EXPECT_OK(journal.status());
    return *std::move(journal);
  }
  std::vector<std::string> Kinds(Journal& journal) {
    std::vector<std::string> kinds;
    const auto events = journal.Outbox(0, 1000).value();
    for (const v1::RobotEvent& event : events) kinds.push_back(event.kind());
    return kinds;
  }

  tests::TempFolder folder_;
  const std::string path_ = folder_ / "journal.sqlite";
};

TEST_F(JournalTest, KnowsNothingAtFirst) {
  const auto journal = Open();

  ASSERT_OK_AND_ASSIGN(const Lifecycle lifecycle, journal->Load());

  EXPECT_EQ(lifecycle.desired.generation(), 0u);
  EXPECT_EQ(NameOf(lifecycle.state), "NothingWanted");
}

TEST_F(JournalTest, RemembersStateReasonAndNotesOverAReopening) {
  const std::vector<Note> notes = {{"rolling_back", "deadline"}, {"rolled_back", "deadline"}};
  ASSERT_OK(Open()->Save(At(7, agent::lifecycle::RolledBack{"deadline"}), notes, kNow));

  const auto again = Open();
  ASSERT_OK_AND_ASSIGN(const Lifecycle lifecycle, again->Load());

  EXPECT_EQ(lifecycle.desired.generation(), 7u);
  EXPECT_EQ(NameOf(lifecycle.state), "RolledBack");
  EXPECT_EQ(ReasonOf(lifecycle.state), "deadline");
  EXPECT_THAT(Kinds(*again), testing::ElementsAre("rolling_back", "rolled_back"));
}

TEST_F(JournalTest, RemembersWhichUnitsWereInService) {
  ASSERT_OK(Open()->Save(At(1, agent::lifecycle::Committed{}), {}, kNow));
  ASSERT_OK(Open()->Save(At(2, agent::lifecycle::Offered{}), {}, kNow));

  const auto journal = Open();

  EXPECT_THAT(journal->WasCommitted(std::string(64, 'a')), testing::Eq(absl::StatusOr<bool>(true)));
  EXPECT_THAT(journal->WasCommitted(std::string(64, 'b')),
              testing::Eq(absl::StatusOr<bool>(false)));
}

TEST_F(JournalTest, CountsItsLives) {
  EXPECT_EQ(Open()->life(), 1u);
  EXPECT_EQ(Open()->life(), 2u);
}

TEST_F(JournalTest, NeverUsesAnEventIdTwiceEvenWhenTheOutboxWasEmptied) {
  auto journal = Open();
  ASSERT_OK(journal->Add({"one", ""}, "", kNow));
  const uint64_t first = journal->Outbox(0, 10).value().front().id();
  ASSERT_OK(journal->Acknowledge(first));
  journal = Open();
  ASSERT_OK(journal->Add({"two", ""}, "", kNow));

  const auto events = journal->Outbox(0, 10).value();

  ASSERT_EQ(events.size(), 1u);
  EXPECT_GT(events[0].id(), first);
  EXPECT_GE(first, static_cast<uint64_t>(kNow)) << "a new disk must not count from 1 again";
}

TEST_F(JournalTest, AnAcknowledgementTakesThatEventAndNoOther) {
  const auto journal = Open();
  for (const char* kind : {"one", "two", "three"}) ASSERT_OK(journal->Add({kind, ""}, "", kNow));

  ASSERT_OK(journal->Acknowledge(journal->Outbox(0, 10).value()[1].id()));

  EXPECT_THAT(Kinds(*journal), testing::ElementsAre("one", "three"));
}

TEST_F(JournalTest, ForgetsTheOldestEventsWhenNobodyTakesThem) {
  const auto journal = Open();
  std::vector<Note> notes(2'500, Note{"noise", ""});
  notes.front().kind = "first";
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK(journal->Save(At(1, agent::lifecycle::Offered{}), notes, kNow));
  }

  EXPECT_EQ(journal->Outbox(0, 20'000).value().size(), 10'000u);
}

TEST_F(JournalTest, TakesControlsEventsOnceAndKnowsThemFromThoseOfAWipedControl) {
  const auto journal = Open();
  const v1::ControlEvent first = ControlEvent(1, kNow);
  const v1::ControlEvent second = ControlEvent(2, kNow);
  const v1::ControlEvent other_first = ControlEvent(1, kNow + 60'000);
  const std::vector<const v1::ControlEvent*> told = {&first, &second};
  const std::vector<const v1::ControlEvent*> told_after_wipe = {&other_first};

  ASSERT_OK(journal->AddControlEvents(told));
  ASSERT_OK(journal->AddControlEvents(told));
  ASSERT_OK(journal->AddControlEvents(told_after_wipe));

  EXPECT_EQ(Kinds(*journal).size(), 3u);
}

TEST_F(JournalTest, KeepsAQuarantineUntilItIsReleased) {
  v1::Quarantined unit;
  unit.set_digest("d");
  unit.set_reason("saturated");
  const std::vector<const v1::Quarantined*> list = {&unit};
  ASSERT_OK(Open()->AddQuarantined(list));

  const auto journal = Open();
  EXPECT_EQ(journal->QuarantineReason("d").value(), "saturated");
  EXPECT_EQ(journal->QuarantineReason("e").value(), std::nullopt);
  ASSERT_OK(journal->ReleaseQuarantine("d"));
  EXPECT_EQ(journal->QuarantineReason("d").value(), std::nullopt);
}

// Stands in for a full disk: no file of this process may grow any more.
class NoGrowth {
 public:
  NoGrowth() {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_FSIZE, &none);
  }
  ~NoGrowth() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(JournalTest, ASaveThatTheDiskRefusesLeavesTheOldStateAndNoNotes) {
  const auto journal = Open();
  ASSERT_OK(journal->Save(At(1, agent::lifecycle::Fetching{}), {}, kNow));

  const std::vector<Note> notes = {{"staged", std::string(100'000, 'x')}};
  {
    const NoGrowth full;
    EXPECT_FALSE(journal->Save(At(2, agent::lifecycle::Staged{}), notes, kNow).ok());
  }

  EXPECT_EQ(journal->Load().value().desired.generation(), 1u);
  EXPECT_THAT(Kinds(*journal), testing::IsEmpty());
  EXPECT_OK(journal->Save(At(2, agent::lifecycle::Staged{}), notes, kNow));
}

TEST_F(JournalTest, WhatWasSavedStandsAfterKillMinusNine) {
  uint64_t least = 0;
  for (int round = 0; round < 10; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto journal = Journal::Open(path_, kNow);
      for (uint64_t n = least + 1;; ++n) {
        const std::vector<Note> notes = {{"note", std::to_string(n)}};
        if (!(*journal)->Save(At(n, agent::lifecycle::Fetching{}), notes, kNow).ok()) _exit(1);
        if (write(pipe_ends[1], &n, sizeof(n)) != sizeof(n)) _exit(1);
      }
    }
    close(pipe_ends[1]);
    const uint64_t enough = least + 3 + static_cast<uint64_t>(round);
    uint64_t told = 0;
    while (told < enough && read(pipe_ends[0], &told, sizeof(told)) == sizeof(told)) {
    }
    kill(child, SIGKILL);
    while (read(pipe_ends[0], &told, sizeof(told)) == sizeof(told)) {
    }
    close(pipe_ends[0]);
    waitpid(child, nullptr, 0);

    const auto journal = Open();
    const uint64_t kept = journal->Load().value().desired.generation();
    EXPECT_GE(kept, told);
    EXPECT_LE(kept, told + 1);
    EXPECT_EQ(Kinds(*journal).size(), kept) << "state and notes: both or neither";
    least = kept;
  }
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(JournalTest, ADamagedFileIsSetAsideAndToldOf) {
  ASSERT_OK(Open()->Save(At(7, agent::lifecycle::Staged{}), {}, kNow));
  std::filesystem::remove(path_ + "-wal");
  std::ofstream(path_, std::ios::binary) << "this is no database, and longer than its header is";

  const auto journal = Open();

  EXPECT_EQ(journal->Load().value().desired.generation(), 0u);
  EXPECT_THAT(Kinds(*journal), testing::ElementsAre("journal_lost"));
  EXPECT_TRUE(std::filesystem::exists(path_ + ".broken-" + std::to_string(kNow)));
}

TEST_F(JournalTest, OpensOrSetsAsideWhateverBytesTheFileHolds) {
  {
    const auto journal = Open();
    const std::vector<Note> notes(20, Note{"note", "detail"});
    ASSERT_OK(journal->Save(At(7, agent::lifecycle::Staged{}), notes, kNow));
  }
  const std::string sound = ReadAll(path_);
  ASSERT_GT(sound.size(), 4096u);
  std::minstd_rand random(7);
  for (int i = 0; i < 120; ++i) {
    std::string bytes = sound;
    if (i % 2 == 0) {
      bytes.resize(random() % bytes.size());
    } else {
      for (int flips = 0; flips < 20; ++flips) {
        bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
      }
    }
    std::ofstream(path_, std::ios::binary) << bytes;
    const auto journal = Journal::Open(path_, kNow + i);
    // A flip may hit a value and go unseen; what must not happen is a crash or a journal that lies
    // dead.
    if (!journal.ok()) continue;
    const auto loaded = (*journal)->Load();
    EXPECT_TRUE(!loaded.ok() || !NameOf(loaded->state).empty());
  }
}

}  // namespace
