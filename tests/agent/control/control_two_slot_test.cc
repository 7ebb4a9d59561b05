#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>

#include "agent/control/two_slot_file.h"
#include "tests/agent/control/crash_files.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::control {
namespace {

using ::testing::HasSubstr;
using tests::CrashFiles;
using tests::StatusIs;

constexpr char kPath[] = "state/pointer";

std::string PayloadIn(base::Files& files) {
  TwoSlotFile file(files, kPath);
  const auto record = file.Load();
  EXPECT_OK(record);
  return record.ok() && *record ? (*record)->payload : "";
}

TEST(TwoSlotFileTest, GivesBackTheNewestRecord) {
  CrashFiles files;
  TwoSlotFile file(files, kPath);

  ASSERT_OK(file.Store("one"));
  ASSERT_OK(file.Store("two"));
  ASSERT_OK(file.Store("three"));

  EXPECT_EQ(PayloadIn(files), "three");
  EXPECT_EQ(file.generation(), 3);
}

TEST(TwoSlotFileTest, IsEmptyWithoutAFile) {
  CrashFiles files;
  TwoSlotFile file(files, kPath);

  ASSERT_OK_AND_ASSIGN(const auto record, file.Load());

  EXPECT_FALSE(record.has_value());
}

TEST(TwoSlotFileTest, KeepsTheRecordBeforeWhenTheLastWriteIsTornAtAnyByte) {
  for (size_t torn = 0; torn < kSlotBytes; ++torn) {
    CrashFiles files;
    TwoSlotFile file(files, kPath);
    ASSERT_OK(file.Store("one"));
    ASSERT_OK(file.Store("two"));
    files.TearNextOverwrite(torn);

    EXPECT_FALSE(file.Store("three").ok());

    // The record's last non-zero byte may stand before its end: then the whole record is there.
    const std::string after = PayloadIn(files);
    EXPECT_TRUE(after == "two" || after == "three") << "torn at byte " << torn;
    if (torn < kSlotBytes - 4) {
      EXPECT_EQ(after, "two") << "torn at byte " << torn;
    }
  }
}

TEST(TwoSlotFileTest, KeepsTheRecordBeforeWhenTheLastWriteIsLost) {
  CrashFiles files;
  TwoSlotFile file(files, kPath);
  ASSERT_OK(file.Store("one"));
  ASSERT_OK(file.Store("two"));
  files.LoseNextOverwrite();

  ASSERT_OK(file.Store("three"));

  EXPECT_EQ(PayloadIn(files), "two");
}

TEST(TwoSlotFileTest, WritesTheSameSlotAgainAfterAFailedWrite) {
  CrashFiles files;
  TwoSlotFile file(files, kPath);
  ASSERT_OK(file.Store("one"));
  ASSERT_OK(file.Store("two"));
  files.TearNextOverwrite(100);
  ASSERT_FALSE(file.Store("three").ok());
  files.TearNextOverwrite(200);
  ASSERT_FALSE(file.Store("three").ok());

  EXPECT_EQ(PayloadIn(files), "two");
  ASSERT_OK(file.Store("four"));
  EXPECT_EQ(PayloadIn(files), "four");
}

TEST(TwoSlotFileTest, NeverBelievesARecordWithAFlippedBit) {
  const std::string slot = EncodeSlot({.generation = 7, .payload = "committed: a"});
  ASSERT_EQ(DecodeSlot(slot)->payload, "committed: a");

  for (size_t bit = 0; bit < slot.size() * 8; ++bit) {
    std::string damaged = slot;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(DecodeSlot(damaged).has_value()) << "bit " << bit;
  }
}

TEST(TwoSlotFileTest, NeverBelievesATruncatedRecord) {
  const std::string slot = EncodeSlot({.generation = 7, .payload = "committed: a"});

  for (size_t length = 0; length < slot.size(); ++length) {
    EXPECT_FALSE(DecodeSlot(std::string_view(slot).substr(0, length)).has_value());
  }
}

TEST(TwoSlotFileTest, SaysThatNothingIsIntactInsteadOfGuessing) {
  CrashFiles files;
  ASSERT_OK(files.WriteDurably(kPath, std::string(2 * kSlotBytes, 'x'), 0600));
  TwoSlotFile file(files, kPath);

  EXPECT_THAT(file.Load(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no intact record")));

  ASSERT_OK(file.Store("fresh"));
  EXPECT_EQ(PayloadIn(files), "fresh");
}

TEST(TwoSlotFileTest, RepairsAFileOfAnotherSize) {
  CrashFiles files;
  ASSERT_OK(files.WriteDurably(kPath, "short", 0600));
  TwoSlotFile file(files, kPath);
  EXPECT_FALSE(file.Load().ok());

  ASSERT_OK(file.Store("fresh"));

  EXPECT_EQ(PayloadIn(files), "fresh");
}

TEST(TwoSlotFileTest, DoesNotWriteOverAFileItCouldNotRead) {
  CrashFiles files;
  {
    TwoSlotFile file(files, kPath);
    ASSERT_OK(file.Store("good"));
  }
  files.FailReads(2);
  TwoSlotFile file(files, kPath);

  EXPECT_FALSE(file.Load().ok());
  EXPECT_FALSE(file.Store("other").ok());

  EXPECT_EQ(PayloadIn(files), "good");
}

TEST(TwoSlotFileTest, TakesAPayloadUpToItsCapAndNoByteMore) {
  CrashFiles files;
  TwoSlotFile file(files, kPath);

  EXPECT_OK(file.Store(std::string(kMaxSlotPayload, 'p')));
  EXPECT_EQ(PayloadIn(files).size(), kMaxSlotPayload);
  EXPECT_THAT(file.Store(std::string(kMaxSlotPayload + 1, 'p')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 494")));
}

TEST(TwoSlotFileTest, NeedsNoNewDiskSpaceOnceItExists) {
  CrashFiles files;
  TwoSlotFile file(files, kPath);
  ASSERT_OK(file.Store("one"));
  files.FillDisk();

  EXPECT_OK(file.Store("two"));

  EXPECT_EQ(PayloadIn(files), "two");
}

// Makes the CRC right for what the slot holds.
void Recount(std::string& slot) {
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(slot.data()), kSlotBytes - 4);
  for (size_t i = 0; i < 4; ++i) {
    slot[kSlotBytes - 4 + i] = static_cast<char>(crc >> (8 * i) & 0xff);
  }
}

TEST(TwoSlotFileTest, NeverBelievesARecordOfAnotherKind) {
  std::string slot = EncodeSlot({.generation = 7, .payload = "committed: a"});
  Recount(slot);
  EXPECT_TRUE(DecodeSlot(slot).has_value());
  slot[3] = '2';
  Recount(slot);
  EXPECT_FALSE(DecodeSlot(slot).has_value());
}

TEST(TwoSlotFileTest, NeverBelievesARecordThatSaysItIsLongerThanItsSlot) {
  for (const size_t length : {kMaxSlotPayload, kMaxSlotPayload + 1}) {
    std::string slot = EncodeSlot({.generation = 7, .payload = "committed: a"});
    slot[12] = static_cast<char>(length & 0xff);
    slot[13] = static_cast<char>(length >> 8);
    Recount(slot);
    EXPECT_EQ(DecodeSlot(slot).has_value(), length == kMaxSlotPayload) << length;
  }
}

TEST(TwoSlotFileTest, DoesNotTakeARecordFromTheWrongSlot) {
  CrashFiles files;
  const std::string newer = EncodeSlot({.generation = 9, .payload = "misplaced"});
  const std::string older = EncodeSlot({.generation = 7, .payload = "ours"});
  ASSERT_OK(files.WriteDurably(kPath, newer + older, 0600));
  EXPECT_EQ(PayloadIn(files), "ours");
}

TEST(TwoSlotFileTest, SaysWhenTheFileCannotBeMade) {
  CrashFiles files;
  files.FillDisk();
  TwoSlotFile file(files, kPath);
  EXPECT_FALSE(file.Store("one").ok());
  EXPECT_EQ(file.generation(), 0);
}

TEST(TwoSlotFileTest, IsReadByNobodyElse) {
  const tests::TempFolder folder;
  const std::string path = folder / "pointer";
  base::OsFiles files;
  ASSERT_OK(TwoSlotFile(files, path).Store("one"));
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

}  // namespace
}  // namespace agent::control
