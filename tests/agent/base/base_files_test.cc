#include <sys/stat.h>

#include "agent/base/files.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace {

using agent::base::OsFiles;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::StatusIs;

TEST(FilesTest, WritesDurablyWithTheModeAskedForAndLeavesNoTemporary) {
  tests::TempFolder folder;
  OsFiles files;
  ASSERT_OK(files.WriteDurably(folder / "key.pem", "secret", 0600));

  struct stat info {};
  ASSERT_EQ(stat((folder / "key.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  ASSERT_OK_AND_ASSIGN(const auto names, files.List(folder.path()));
  EXPECT_THAT(names, ElementsAre("key.pem"));
  ASSERT_OK_AND_ASSIGN(const std::string bytes, files.Read(folder / "key.pem", 6));
  EXPECT_EQ(bytes, "secret");
}

TEST(FilesTest, RefusesToReadPastTheCap) {
  tests::TempFolder folder;
  OsFiles files;
  ASSERT_OK(files.WriteDurably(folder / "a", "12345", 0600));
  EXPECT_THAT(files.Read(folder / "a", 4),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("larger than the 4 bytes")));
}

TEST(FilesTest, NamesThePathWhenAFileIsMissing) {
  OsFiles files;
  EXPECT_THAT(files.Read("/nowhere/at/all", 9),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nowhere/at/all")));
}

TEST(FilesTest, SaysThatTheDiskIsFull) {
  OsFiles files;
  EXPECT_THAT(files.Append("/dev/full", "x"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("free some space")));
}

TEST(FilesTest, KeepsTheOldContentWhenTheFolderIsNotWritable) {
  tests::TempFolder folder;
  OsFiles files;
  ASSERT_OK(files.WriteDurably(folder / "a", "old", 0600));
  EXPECT_FALSE(files.WriteDurably(folder / "a/b", "new", 0600).ok());
  ASSERT_OK_AND_ASSIGN(const std::string bytes, files.Read(folder / "a", 9));
  EXPECT_EQ(bytes, "old");
}

}  // namespace
