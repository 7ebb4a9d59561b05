#include <random>

#include "agent/lifecycle/blob_store.h"
#include "agent/lifecycle/porter.h"
#include "agent/lifecycle/unit_store.h"
#include "agent/trust/hash.h"
#include "agent/trust/manifest.h"
#include "agent/trust/unit.h"
#include "gmock/gmock.h"
#include "tests/agent/lifecycle/fused_files.h"
#include "tests/support/sealed_unit.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace {

namespace v1 = ::gatekeeper::v1;
using agent::lifecycle::BlobStore;
using agent::lifecycle::UnitStore;
using testing::HasSubstr;
using tests::MakeUnit;
using tests::SealedUnit;
using tests::StatusIs;

v1::UnitFile FileOf(const std::string& bytes) {
  v1::UnitFile file;
  file.set_path("model/model.onnx");
  file.set_size(bytes.size());
  file.set_sha256(agent::trust::Sha256(bytes).hex());
  return file;
}

class BlobStoreTest : public testing::Test {
 protected:
  bool IsEmpty() {
    const auto names = files_.List(folder_ / "blobs");
    return names.ok() && names->empty();
  }

  tests::Fuse fuse_;
  tests::FusedFiles files_{fuse_};
  tests::TempFolder folder_;
  BlobStore blobs_{files_, folder_ / "blobs"};
  const std::string bytes_ = "sixteen bytes...";
  const v1::UnitFile file_ = FileOf(bytes_);
};

TEST_F(BlobStoreTest, ABlobExistsOnlyWhenEveryByteIsThereAndHashes) {
  ASSERT_OK_AND_ASSIGN(const uint64_t begin, blobs_.Resume(file_));
  EXPECT_EQ(begin, 0u);
  ASSERT_OK(blobs_.Append(file_, bytes_.substr(0, 10)));
  EXPECT_FALSE(blobs_.Has(file_.sha256()));
  EXPECT_THAT(blobs_.Finish(file_),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("10 of 16 bytes")));

  ASSERT_OK_AND_ASSIGN(const uint64_t resume, blobs_.Resume(file_));
  EXPECT_EQ(resume, 10u);
  ASSERT_OK(blobs_.Append(file_, bytes_.substr(10)));
  ASSERT_OK(blobs_.Finish(file_));
  EXPECT_TRUE(blobs_.Has(file_.sha256()));
}

TEST_F(BlobStoreTest, OtherBytesThanTheDigestSaysLeaveNothing) {
  ASSERT_OK(blobs_.Resume(file_).status());
  ASSERT_OK(blobs_.Append(file_, "sixteen bytes,,,"));

  EXPECT_THAT(blobs_.Finish(file_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("model/model.onnx")));
  EXPECT_TRUE(IsEmpty());
}

TEST_F(BlobStoreTest, TakesNotOneByteMoreThanTheManifestSays) {
  ASSERT_OK(blobs_.Resume(file_).status());
  ASSERT_OK(blobs_.Append(file_, bytes_));

  EXPECT_THAT(blobs_.Append(file_, "x"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("more bytes came than the 16")));
  EXPECT_TRUE(IsEmpty());
}

TEST_F(BlobStoreTest, AFullDiskGivesItsRoomBack) {
  ASSERT_OK(blobs_.Resume(file_).status());
  ASSERT_OK(blobs_.Append(file_, "sixteen"));
  files_.FillDisk(true);

  EXPECT_THAT(blobs_.Append(file_, " bytes..."),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("No space left")));
  EXPECT_TRUE(IsEmpty());
}

TEST_F(BlobStoreTest, AnEmptyFileIsABlobToo) {
  const v1::UnitFile empty = FileOf("");
  ASSERT_OK(blobs_.Resume(empty).status());

  ASSERT_OK(blobs_.Finish(empty));

  EXPECT_TRUE(blobs_.Has(empty.sha256()));
}

TEST_F(BlobStoreTest, DropsWhatIsNotKept) {
  const v1::UnitFile other = FileOf("other");
  for (const auto& [file, bytes] :
       {std::pair{file_, bytes_}, std::pair{other, std::string("other")}}) {
    ASSERT_OK(blobs_.Resume(file).status());
    ASSERT_OK(blobs_.Append(file, bytes));
    ASSERT_OK(blobs_.Finish(file));
  }

  ASSERT_OK(blobs_.KeepOnly({other.sha256()}));

  EXPECT_FALSE(blobs_.Has(file_.sha256()));
  EXPECT_TRUE(blobs_.Has(other.sha256()));
}

class UnitStoreTest : public testing::Test {
 protected:
  UnitStoreTest() {
    EXPECT_OK(files_.WriteDurably(state_ / "trust.json", tests::TestTrust().ToJson(), 0600));
    EXPECT_OK(files_.MakeFolders(state_ / "slots"));
  }
  void PutBlobs(const SealedUnit& unit) {
    for (const v1::UnitFile& file : unit.manifest.files()) {
      ASSERT_OK(store_.blobs().Resume(file).status());
      ASSERT_OK(store_.blobs().Append(file, unit.files.at(file.path())));
      ASSERT_OK(store_.blobs().Finish(file));
    }
  }

  tests::Fuse fuse_;
  tests::FusedFiles files_{fuse_};
  tests::TempFolder state_;
  UnitStore store_{files_, state_.path()};
  const SealedUnit unit_ = MakeUnit({});
};

TEST_F(UnitStoreTest, BuildsASlotThatVerifiesAsAWhole) {
  ASSERT_OK(store_.SavePapers(unit_.digest, unit_.papers));
  PutBlobs(unit_);

  ASSERT_OK(store_.BuildSlot(unit_.digest));
  ASSERT_OK(store_.BuildSlot(unit_.digest));  // again: nothing to do

  EXPECT_TRUE(store_.Holds(unit_.digest).slot);
  EXPECT_OK(agent::trust::VerifyUnit(store_.SlotOf(unit_.digest), tests::TestTrust()).status());
}

TEST_F(UnitStoreTest, ASlotOutlivesTheBlobsItWasBuiltFrom) {
  ASSERT_OK(store_.SavePapers(unit_.digest, unit_.papers));
  PutBlobs(unit_);
  ASSERT_OK(store_.BuildSlot(unit_.digest));

  ASSERT_OK(store_.KeepOnly({unit_.digest}, unit_.digest));

  EXPECT_OK(agent::trust::VerifyUnit(store_.SlotOf(unit_.digest), tests::TestTrust()).status());
  ASSERT_OK_AND_ASSIGN(const auto blobs, files_.List(state_ / "blobs"));
  EXPECT_TRUE(blobs.empty());
}

TEST_F(UnitStoreTest, ABlobThatRottedOnDiskMakesNoSlot) {
  ASSERT_OK(store_.SavePapers(unit_.digest, unit_.papers));
  PutBlobs(unit_);
  const std::string& victim = unit_.manifest.files(0).sha256();
  ASSERT_OK(files_.WriteDurably(store_.blobs().PathOf(victim), "rotten", 0600));

  EXPECT_THAT(store_.BuildSlot(unit_.digest), StatusIs(absl::StatusCode::kDataLoss, testing::_));

  ASSERT_OK_AND_ASSIGN(const auto slots, files_.List(state_ / "slots"));
  EXPECT_TRUE(slots.empty());
}

TEST_F(UnitStoreTest, AFullDiskMakesNoSlotAndLeavesNothing) {
  ASSERT_OK(store_.SavePapers(unit_.digest, unit_.papers));
  PutBlobs(unit_);
  files_.FillDisk(true);

  EXPECT_THAT(store_.BuildSlot(unit_.digest),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::_));

  ASSERT_OK_AND_ASSIGN(const auto slots, files_.List(state_ / "slots"));
  EXPECT_TRUE(slots.empty());
}

TEST_F(UnitStoreTest, SaysHowMuchRoomIsMissing) {
  EXPECT_THAT(store_.FindSpace(unit_.manifest, uint64_t{1} << 60),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("no room for nav@1.0.0")));
  EXPECT_OK(store_.FindSpace(unit_.manifest, 0));
}

TEST_F(UnitStoreTest, DropsUnitsThatNobodyMayNeedAndHalfBuiltOnes) {
  ASSERT_OK(files_.MakeFolders(state_ / "slots/old"));
  ASSERT_OK(files_.MakeFolders(state_ / "slots/good"));
  ASSERT_OK(files_.MakeFolders(state_ / "slots/good.new"));

  ASSERT_OK(store_.KeepOnly({"good"}, ""));

  EXPECT_THAT(files_.List(state_ / "slots").value(), testing::ElementsAre("good"));
}

TEST_F(UnitStoreTest, KeepsNoPapersThatDoNotVerify) {
  const SealedUnit foreign = MakeUnit({.sealing = tests::Sealing::kStrangersKey});
  const SealedUnit failed = MakeUnit({.sealing = tests::Sealing::kFailedVerdict});
  const SealedUnit bare = MakeUnit({.sealing = tests::Sealing::kNone});

  for (const SealedUnit& unit : {foreign, failed, bare}) {
    EXPECT_THAT(store_.SavePapers(unit.digest, unit.papers),
                StatusIs(absl::StatusCode::kPermissionDenied, testing::_));
    EXPECT_FALSE(store_.Holds(unit.digest).papers);
  }
}

TEST_F(UnitStoreTest, PapersDamagedOnDiskAreFoundOutWhateverTheDamage) {
  ASSERT_OK(store_.SavePapers(unit_.digest, unit_.papers));
  const std::string path = state_ / ("agent/papers/" + unit_.digest);
  ASSERT_OK_AND_ASSIGN(const std::string sound, files_.Read(path, 1 << 20));
  std::minstd_rand random(7);
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    std::string bytes = sound;
    if (i % 2 == 0) {
      bytes.resize(random() % bytes.size());
    } else {
      bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    }
    ASSERT_OK(files_.WriteDurably(path, bytes, 0600));
    const auto manifest = store_.Manifest(unit_.digest);
    // A flip in what is not signed (an unknown field's number) may go unseen; another manifest may
    // not.
    if (manifest.ok()) {
      EXPECT_EQ(agent::trust::CanonicalManifest(*manifest), unit_.papers.manifest());
    }
    refused += manifest.ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 300);
}

}  // namespace
