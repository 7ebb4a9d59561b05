#include "gatekeeper/store/blob_folder.h"

#include <filesystem>
#include <fstream>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace {

using absl::StatusCode;
using gatekeeper::store::BlobFolder;
using testing::HasSubstr;
using tests::StatusIs;

std::string Hex(std::string_view bytes) { return agent::trust::Sha256(bytes).hex(); }

size_t FilesIn(const std::string& folder) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    count += entry.is_regular_file();
  return count;
}

class BlobFolderTest : public testing::Test {
 protected:
  tests::TempFolder folder_;
  BlobFolder blobs_ = *BlobFolder::Open(folder_ / "blobs");
};

TEST_F(BlobFolderTest, WhatCameWholeCanBeReadFromAnyOffset) {
  const std::string bytes = "all the weights of a model";
  ASSERT_OK_AND_ASSIGN(auto writer, blobs_.Write(Hex(bytes), bytes.size()));
  ASSERT_OK(writer->Append(bytes.substr(0, 5)));
  EXPECT_FALSE(blobs_.Has(Hex(bytes)));
  ASSERT_OK(writer->Append(bytes.substr(5)));
  ASSERT_OK(writer->Commit());

  EXPECT_TRUE(blobs_.Has(Hex(bytes)));
  ASSERT_OK_AND_ASSIGN(const auto reader, blobs_.Read(Hex(bytes)));
  EXPECT_EQ(reader->size(), bytes.size());
  EXPECT_EQ(*reader->ReadAt(8, 7), "weights");
  EXPECT_EQ(*reader->ReadAt(bytes.size(), 7), "");
  EXPECT_EQ(*reader->ReadAt(uint64_t{1} << 60, 7), "");
}

TEST_F(BlobFolderTest, OtherBytesThanAnnouncedAreDropped) {
  ASSERT_OK_AND_ASSIGN(auto writer, blobs_.Write(Hex("abc"), 3));
  ASSERT_OK(writer->Append("abd"));
  EXPECT_THAT(writer->Commit(), StatusIs(StatusCode::kDataLoss, HasSubstr("wanted 3 bytes")));
  writer.reset();

  EXPECT_FALSE(blobs_.Has(Hex("abc")));
  EXPECT_EQ(FilesIn(folder_.path()), 0u);
}

TEST_F(BlobFolderTest, TooManyOrTooFewBytesAreRefused) {
  ASSERT_OK_AND_ASSIGN(auto writer, blobs_.Write(Hex("abc"), 3));
  EXPECT_THAT(writer->Append("abcd"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("more than the 3 bytes")));
  ASSERT_OK(writer->Append("ab"));
  EXPECT_THAT(writer->Commit(), StatusIs(StatusCode::kDataLoss, testing::_));
}

TEST_F(BlobFolderTest, AnInterruptedUploadIsClearedAtTheNextStart) {
  std::ofstream(folder_ / "blobs/arriving-1234") << "half";

  ASSERT_OK(BlobFolder::Open(folder_ / "blobs"));

  EXPECT_EQ(FilesIn(folder_.path()), 0u);
}

TEST_F(BlobFolderTest, NamesThatAreNoDigestsReachNoFile) {
  std::ofstream(folder_ / "secret") << "key";
  for (const char* name : {"../secret", "", "aa/../../secret", "/etc/passwd"}) {
    EXPECT_FALSE(blobs_.Has(name));
    EXPECT_FALSE(blobs_.Read(name).ok());
    EXPECT_FALSE(blobs_.Write(name, 3).ok());
  }
  EXPECT_THAT(blobs_.Read(Hex("absent")), StatusIs(StatusCode::kNotFound, testing::_));
}

TEST_F(BlobFolderTest, AFolderThatIsGoneIsAnErrorNotASilentSuccess) {
  ASSERT_OK_AND_ASSIGN(auto writer, blobs_.Write(Hex("y"), 1));
  std::filesystem::remove_all(folder_ / "blobs");
  ASSERT_OK(writer->Append("y"));

  EXPECT_FALSE(writer->Commit().ok());
}

}  // namespace
