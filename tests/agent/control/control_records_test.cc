#include "agent/control/control_records.h"

#include <sys/stat.h>

#include <string>

#include "agent/base/files.h"
#include "agent/control/two_slot_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/control.pb.h"
#include "tests/agent/control/crash_files.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// What a start makes of records that are whole and wrong, or cannot be read; and how much a robot
// remembers of refusals.

namespace agent::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::StatusIs;
using tests::TempFolder;
namespace v1 = ::gatekeeper::v1;

constexpr char kFolder[] = "control";
constexpr int kMostRemembered = 64;

std::string Digest(int number) {
  std::string digest(64, '0');
  for (size_t i = 63; number > 0; --i, number /= 10) {
    digest[i] = static_cast<char>('0' + number % 10);
  }
  return digest;
}

class RecordsTest : public testing::Test {
 protected:
  void Store(const std::string& name, const std::string& payload) {
    ASSERT_OK(TwoSlotFile(files_, std::string(kFolder) + "/" + name).Store(payload));
  }
  ControlRecords Start() { return {files_, kFolder}; }

  tests::CrashFiles files_;
};

TEST_F(RecordsTest, AFreshRobotHasNoUnitAndIsNotLatched) {
  const ControlRecords records = Start();
  EXPECT_EQ(records.pointer().phase(), v1::EMPTY);
  EXPECT_FALSE(records.latch().latched());
  EXPECT_THAT(records.findings(), IsEmpty());
  EXPECT_TRUE(files_.Exists("control/pointer") && files_.Exists("control/latch"));
}

TEST_F(RecordsTest, APointerThatContradictsItselfIsNoPointer) {
  v1::Pointer committed_to_nothing;
  committed_to_nothing.set_phase(v1::COMMITTED);
  v1::Pointer empty_with_a_unit;
  empty_with_a_unit.set_phase(v1::EMPTY);
  empty_with_a_unit.set_committed_digest(Digest(1));
  v1::Pointer trial_of_nothing;
  trial_of_nothing.set_phase(v1::ON_TRIAL);
  v1::Pointer committed;  // makes sense up to where it breaks off
  committed.set_phase(v1::COMMITTED);
  committed.set_committed_digest(Digest(1));
  v1::Pointer unheard_of;
  unheard_of.set_phase(static_cast<v1::PointerPhase>(99));
  for (const std::string& payload :
       {committed_to_nothing.SerializeAsString(), empty_with_a_unit.SerializeAsString(),
        trial_of_nothing.SerializeAsString(), unheard_of.SerializeAsString(),
        committed.SerializeAsString() + "\xff", std::string("\xff\xff")}) {
    Store("pointer", payload);
    const ControlRecords records = Start();
    EXPECT_EQ(records.pointer().phase(), v1::EMPTY);
    EXPECT_THAT(records.findings(),
                ElementsAre(StatusIs(absl::StatusCode::kDataLoss, HasSubstr("makes no sense"))));
  }
}

TEST_F(RecordsTest, APointerThatMakesSenseStands) {
  v1::Pointer trial;
  trial.set_phase(v1::ON_TRIAL);
  trial.set_trial_digest(Digest(2));
  Store("pointer", trial.SerializeAsString());
  const ControlRecords records = Start();
  EXPECT_EQ(records.pointer().trial_digest(), Digest(2));
  EXPECT_THAT(records.findings(), IsEmpty());
}

TEST_F(RecordsTest, APointerThatCouldNotBeReadIsLeftAsItIs) {
  v1::Pointer committed;
  committed.set_phase(v1::COMMITTED);
  committed.set_committed_digest(Digest(1));
  Store("pointer", committed.SerializeAsString());
  files_.FailReads(1);
  EXPECT_EQ(Start().pointer().phase(), v1::EMPTY);
  EXPECT_EQ(Start().pointer().committed_digest(), Digest(1));
}

TEST_F(RecordsTest, ADamagedPointerIsToldOnceAndWrittenAnew) {
  Store("pointer", v1::Pointer().SerializeAsString());
  files_.Damage("control/pointer", 3);
  files_.Damage("control/pointer", kSlotBytes + 3);
  EXPECT_THAT(Start().findings(),
              ElementsAre(StatusIs(absl::StatusCode::kDataLoss, HasSubstr("pointer"))));
  EXPECT_THAT(Start().findings(), IsEmpty());
}

TEST_F(RecordsTest, EveryWriteOfThePointerIsAGenerationOfItsOwn) {
  ControlRecords records = Start();
  EXPECT_EQ(records.pointer().generation(), 1U);
  v1::Pointer committed;
  committed.set_phase(v1::COMMITTED);
  committed.set_committed_digest(Digest(1));
  ASSERT_OK(records.SavePointer(committed));
  EXPECT_EQ(records.pointer().generation(), 2U);
  EXPECT_EQ(records.pointer().committed_digest(), Digest(1));
  EXPECT_EQ(Start().pointer().generation(), 3U);
}

TEST_F(RecordsTest, WhatIsSavedIsWhatStands) {
  ControlRecords records = Start();
  v1::LatchRecord latch;
  latch.set_latched(true);
  latch.set_cause("estop_button");
  ASSERT_OK(records.SaveLatch(latch));
  EXPECT_EQ(records.latch().cause(), "estop_button");
  ASSERT_OK(records.SaveQuarantine(WithQuarantined({}, Digest(1), "it spins")));
  EXPECT_TRUE(IsQuarantined(records.quarantine(), Digest(1)));
}

TEST(RecordFilesTest, StandInAFolderOfTheirOwnForTheirOwnerAlone) {
  const TempFolder temp;
  base::OsFiles files;
  ControlRecords records(files, temp / "state/control");
  EXPECT_THAT(records.findings(), IsEmpty());
  ASSERT_OK(records.SaveQuarantine(WithQuarantined({}, Digest(1), "it spins")));
  struct stat info {};
  ASSERT_EQ(stat((temp / "state/control/quarantine").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
}

TEST_F(RecordsTest, ALatchThatMakesNoSenseIsSet) {
  v1::LatchRecord broken_off;
  broken_off.set_awaiting_start(true);
  broken_off.set_incident("of long ago");
  Store("latch", broken_off.SerializeAsString() + "\xff");
  const ControlRecords records = Start();
  EXPECT_TRUE(records.latch().latched());
  EXPECT_FALSE(records.latch().awaiting_start());
  EXPECT_EQ(records.latch().incident(), "");
  EXPECT_THAT(records.findings(),
              ElementsAre(StatusIs(absl::StatusCode::kDataLoss, HasSubstr("latch"))));
}

TEST_F(RecordsTest, ALatchThatCannotBeReadIsSet) {
  Store("latch", v1::LatchRecord().SerializeAsString());
  v1::Pointer empty;
  empty.set_phase(v1::EMPTY);
  Store("pointer", empty.SerializeAsString());
  files_.FailReads(2);  // the pointer, then the latch
  const ControlRecords records = Start();
  EXPECT_TRUE(records.latch().latched());
  EXPECT_THAT(records.findings(), Contains(StatusIs(absl::StatusCode::kInternal,
                                                    HasSubstr("latch: Input/output error"))));
}

TEST_F(RecordsTest, AQuarantineThatCannotBeReadOrIsDamagedIsForgottenAndTold) {
  ControlRecords before = Start();
  ASSERT_OK(before.SaveQuarantine(WithQuarantined({}, Digest(1), "it spins")));
  EXPECT_TRUE(IsQuarantined(Start().quarantine(), Digest(1)));

  files_.FailReads(3);  // the quarantine after the other two
  EXPECT_THAT(Start().findings(),
              testing::Contains(StatusIs(absl::StatusCode::kInternal, HasSubstr("quarantine"))));

  files_.Damage("control/quarantine", 3);
  const ControlRecords damaged = Start();
  EXPECT_EQ(damaged.quarantine().units_size(), 0);
  EXPECT_THAT(damaged.findings(),
              ElementsAre(StatusIs(absl::StatusCode::kDataLoss, HasSubstr("quarantine: damaged"))));
}

TEST_F(RecordsTest, AQuarantineIsReadUpToSixtyFourKilobytes) {
  constexpr size_t kCap = 64 * 1024;
  constexpr size_t kCrcText = 8;
  v1::QuarantineRecord record = WithQuarantined({}, Digest(1), "");
  record.add_units()->set_reason(std::string(kCap / 2, 'x'));
  const size_t room = kCap - kCrcText - record.ByteSizeLong();
  record.mutable_units(1)->mutable_reason()->append(room, 'x');
  ASSERT_EQ(record.ByteSizeLong(), kCap - kCrcText);
  ControlRecords before = Start();
  ASSERT_OK(before.SaveQuarantine(record));
  EXPECT_TRUE(IsQuarantined(Start().quarantine(), Digest(1)));
  record.mutable_units(1)->mutable_reason()->append("x");
  ASSERT_OK(before.SaveQuarantine(record));
  EXPECT_THAT(Start().findings(),
              ElementsAre(StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("quarantine"))));
}

// CRC-32 as everybody else computes it: "123456789" gives cbf43926, and is a record of fields that
// this version does not know.
TEST_F(RecordsTest, AQuarantinesChecksumIsTheUsualOne) {
  files_.Put("control/quarantine", "123456789cbf43926");
  EXPECT_THAT(Start().findings(), IsEmpty());
}

// Its checksum holds: 8 digits of the CRC-32 of what stands before them.
TEST_F(RecordsTest, AQuarantineThatIsWholeAndNoRecordIsForgottenAndTold) {
  files_.Put("control/quarantine", std::string("\xff\xff") + "ffff0000");
  EXPECT_THAT(Start().findings(),
              ElementsAre(StatusIs(absl::StatusCode::kDataLoss, HasSubstr("quarantine: damaged"))));
}

TEST(QuarantineTest, RemembersTheNewestAndEachOnce) {
  v1::QuarantineRecord quarantine;
  for (int i = 0; i < kMostRemembered; ++i) {
    quarantine = WithQuarantined(quarantine, Digest(i), "reason " + std::to_string(i));
  }
  EXPECT_EQ(quarantine.units_size(), kMostRemembered);
  EXPECT_EQ(WithQuarantined(quarantine, Digest(5), "again").units_size(), kMostRemembered);
  EXPECT_EQ(QuarantineReason(quarantine, Digest(5)), "reason 5");
  quarantine = WithQuarantined(quarantine, Digest(100), "");
  EXPECT_EQ(quarantine.units_size(), kMostRemembered);
  EXPECT_FALSE(IsQuarantined(quarantine, Digest(0)));
  EXPECT_EQ(QuarantineReason(quarantine, Digest(0)), "");
  EXPECT_EQ(QuarantineReason(quarantine, Digest(100)), "quarantined");
  EXPECT_EQ(WithoutQuarantined(quarantine, Digest(5)).units_size(), kMostRemembered - 1);
  EXPECT_FALSE(IsQuarantined(WithoutQuarantined(quarantine, Digest(5)), Digest(5)));
}

TEST(QuarantineTest, KeepsTheFirstReasonAndThreeHundredBytesOfIt) {
  const std::string text(400, 'x');
  v1::QuarantineRecord quarantine = WithQuarantined({}, Digest(1), text);
  EXPECT_EQ(QuarantineReason(quarantine, Digest(1)), text.substr(0, 300));
  EXPECT_EQ(WithQuarantined(quarantine, Digest(1), "again").units_size(), 1);

  v1::Recall recall;
  v1::Quarantined& unit = *recall.add_units();
  unit.set_digest(Digest(2));
  unit.set_reason(text);
  EXPECT_EQ(WithRecalled({}, recall).recalled(0).reason(), text.substr(0, 300));
}

TEST(QuarantineTest, AReleaseLeavesTheRestAsItWas) {
  v1::Recall recall;
  recall.add_units()->set_digest(Digest(3));
  v1::QuarantineRecord quarantine =
      WithRecalled(WithQuarantined({}, Digest(1), "it spins"), recall);
  quarantine.set_release_seq(7);
  const v1::QuarantineRecord rest = WithoutQuarantined(quarantine, Digest(1));
  EXPECT_EQ(rest.units_size(), 0);
  EXPECT_EQ(rest.release_seq(), 7U);
  EXPECT_TRUE(IsRecalled(rest, Digest(3)));
}

TEST(QuarantineTest, RemembersNoMoreRecalledUnitsThanThatAndNothingThatIsNoDigest) {
  v1::Recall recall;
  recall.add_units()->set_digest("no digest");
  for (int i = 0; i <= kMostRemembered; ++i) recall.add_units()->set_digest(Digest(i));
  const v1::QuarantineRecord record = WithRecalled({}, recall);
  EXPECT_EQ(record.recalled_size(), kMostRemembered);
  EXPECT_TRUE(IsRecalled(record, Digest(0)));
  EXPECT_FALSE(IsRecalled(record, Digest(kMostRemembered)));
  EXPECT_FALSE(IsRecalled(record, "no digest"));
}

TEST(HeldTriggersTest, ThatDoNotFitAreNamedByTheStopThatEveryUnitKnows) {
  v1::LatchRecord latch;
  SetHeld({"one", "two"}, latch);
  EXPECT_THAT(latch.held(), ElementsAre("one", "two"));
  SetHeld({std::string(197, 'a')}, latch);
  EXPECT_THAT(latch.held(), ElementsAre(std::string(197, 'a')));
  SetHeld({"one", std::string(197, 'a'), "two"}, latch);
  EXPECT_THAT(latch.held(), ElementsAre("one", "flapping"));
}

}  // namespace
}  // namespace agent::control
