#include "tests/gatekeeper/store/store_fixture.h"

// The audit trail: whoever edits it is found.

namespace {

using absl::StatusCode;
using testing::HasSubstr;
using tests::StatusIs;
namespace v1 = gatekeeper::v1;

class AuditTest : public tests::StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    for (int i = 1; i <= 5; ++i) {
      v1::AuditEntry entry;
      entry.set_wall_ms(1000 * i);
      entry.set_actor("operator/mara");
      entry.set_action("rollout.start");
      entry.set_object("rollout-" + std::to_string(i));
      entry.set_detail(std::string("nav\0@1", 6));
      ASSERT_OK(store_->Audit(entry));
    }
  }
  absl::Status AfterTampering(const std::string& sql) {
    Tamper(sql);
    Reopen();
    return store_->VerifyAudit();
  }
};

TEST_F(AuditTest, AnUntouchedTrailHolds) {
  Reopen();
  EXPECT_OK(store_->VerifyAudit());
  ASSERT_OK_AND_ASSIGN(const auto entries, store_->ReadAudit(2, 2));
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].seq(), 3u);
  EXPECT_EQ(entries[0].object(), "rollout-3");
}

TEST_F(AuditTest, EveryKindOfTamperingIsFoundAndItsFirstEntryNamed) {
  struct Row {
    const char* sql;
    const char* entry;
  };
  const Row rows[] = {
      {"UPDATE audit SET actor='operator/eve' WHERE seq=3", "audit entry 3"},
      {"UPDATE audit SET detail='' WHERE seq=1", "audit entry 1"},
      {"UPDATE audit SET wall_ms=7 WHERE seq=5", "audit entry 5"},
      {"DELETE FROM audit WHERE seq=2", "audit entry 2"},
      {"DELETE FROM audit WHERE seq=5", "audit entry 5"},
      {"DELETE FROM audit", "audit entry 1"},
      {"INSERT INTO audit SELECT 6, wall_ms, actor, action, object, detail, previous_sha256, "
       "sha256 FROM audit WHERE seq=5",
       "audit entry 6"},
      {"UPDATE audit SET seq=99 WHERE seq=2; UPDATE audit SET seq=2 WHERE seq=3; UPDATE audit SET "
       "seq=3 WHERE seq=99",
       "audit entry 2"},
  };
  const std::string whole = AfterPowerCut();
  for (const Row& row : rows) {
    store_.reset();
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
    for (const char* suffix : {"", "-wal"}) {
      if (std::filesystem::exists(whole + suffix))
        std::filesystem::copy_file(whole + suffix, path_ + suffix);
    }
    EXPECT_THAT(AfterTampering(row.sql), StatusIs(StatusCode::kDataLoss, HasSubstr(row.entry)))
        << row.sql;
  }
}

}  // namespace
