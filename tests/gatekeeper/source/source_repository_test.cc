#include <filesystem>
#include <fstream>

#include "agent/trust/hash.h"
#include "gatekeeper/source/lfs_pointer.h"
#include "gatekeeper/source/repository.h"
#include "gtest/gtest.h"
#include "tests/support/git_folder.h"
#include "tests/support/status_matchers.h"

namespace {

using gatekeeper::source::ParseLfsPointer;
using gatekeeper::source::Repository;
using testing::HasSubstr;
using tests::GitFolder;
using tests::StatusIs;

std::string PointerTo(const std::string& bytes) {
  return "version https://git-lfs.github.com/spec/v1\noid sha256:" +
         agent::trust::Sha256(bytes).hex() + "\nsize " + std::to_string(bytes.size()) + "\n";
}

void StoreLfsObject(const GitFolder& git, const std::string& name, const std::string& bytes) {
  const std::string oid = agent::trust::Sha256(name).hex();
  const std::string folder =
      git.path() + "/.git/lfs/objects/" + oid.substr(0, 2) + "/" + oid.substr(2, 2);
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/" + oid, std::ios::binary) << bytes;
}

TEST(RepositoryTest, ReadsAFileAsTheCommitHoldsItWhateverTheWorkTreeSays) {
  GitFolder git;
  git.Write("nav/a.txt", "one");
  const std::string first = git.Commit("first");
  git.Write("nav/a.txt", "two");
  git.Commit("second");
  git.Write("nav/a.txt", "three");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path() + "/nav"));

  ASSERT_OK_AND_ASSIGN(const auto old, repository.ReadFile(first, "nav/a.txt", GitFolder::kCap));
  EXPECT_EQ(old.bytes, "one");
  ASSERT_OK_AND_ASSIGN(const std::string head, repository.ResolveCommit("HEAD"));
  ASSERT_OK_AND_ASSIGN(const auto now, repository.ReadFile(head, "nav/a.txt", GitFolder::kCap));
  EXPECT_EQ(now.bytes, "two");
}

TEST(RepositoryTest, RefusesADirtyTreeAndNamesItsFiles) {
  GitFolder git;
  git.Write("a.txt", "one");
  git.Write("b.txt", "one");
  git.Commit("first");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));
  EXPECT_OK(repository.RequireClean());

  git.Write("a.txt", "changed");
  git.Write("new.txt", "untracked");
  EXPECT_THAT(repository.RequireClean(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("differs from its commit in 2 files: a.txt, new.txt")));
  git.Git("add a.txt");
  EXPECT_THAT(repository.RequireClean(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("a.txt")));
}

TEST(RepositoryTest, IgnoredFilesDoNotMakeATreeDirty) {
  GitFolder git;
  git.Write(".gitignore", "*.log\n");
  git.Commit("first");
  git.Write("run.log", "x");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));
  EXPECT_OK(repository.RequireClean());
}

TEST(RepositoryTest, FollowsALfsPointerToTheLocalObject) {
  GitFolder git;
  git.Write("model.onnx", PointerTo("weights"));
  const std::string commit = git.Commit("first");
  StoreLfsObject(git, "weights", "weights");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));

  ASSERT_OK_AND_ASSIGN(const auto file, repository.ReadFile(commit, "model.onnx", GitFolder::kCap));
  EXPECT_EQ(file.bytes, "weights");
  EXPECT_TRUE(file.from_lfs);
}

TEST(RepositoryTest, ACheckedOutLfsObjectCountsAsUnchangedAndAnotherOneDoesNot) {
  GitFolder git;
  git.Write("model.onnx", PointerTo("weights"));
  git.Commit("first");
  git.Write("model.onnx", "weights");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));
  EXPECT_OK(repository.RequireClean());

  git.Write("model.onnx", "weightz");
  EXPECT_FALSE(repository.RequireClean().ok());
}

TEST(RepositoryTest, RefusesADamagedLfsObject) {
  GitFolder git;
  git.Write("model.onnx", PointerTo("weights"));
  const std::string commit = git.Commit("first");
  StoreLfsObject(git, "weights", "weightz");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));

  EXPECT_THAT(repository.ReadFile(commit, "model.onnx", GitFolder::kCap),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is damaged")));
}

TEST(RepositoryTest, SaysHowToFetchAMissingLfsObject) {
  GitFolder git;
  git.Write("model.onnx", PointerTo("weights"));
  const std::string commit = git.Commit("first");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));

  EXPECT_THAT(
      repository.ReadFile(commit, "model.onnx", GitFolder::kCap),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("git lfs fetch --include=model.onnx")));
}

TEST(RepositoryTest, RefusesLinksFoldersAndFilesAboveTheCap) {
  GitFolder git;
  git.Write("folder/a", "12345");
  git.Git("config core.symlinks true");
  std::filesystem::create_symlink("folder/a", git.path() + "/link");
  const std::string commit = git.Commit("first");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));

  EXPECT_THAT(repository.ReadFile(commit, "link", GitFolder::kCap),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("regular files only")));
  EXPECT_THAT(repository.ReadFile(commit, "folder", GitFolder::kCap),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::_));
  EXPECT_THAT(repository.ReadFile(commit, "folder/a", 4),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at most 4")));
  EXPECT_OK(repository.ReadFile(commit, "folder/a", 5));
}

TEST(RepositoryTest, NamesWhatItCannotFind) {
  tests::TempFolder empty;
  EXPECT_THAT(Repository::Open(empty.path()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(empty.path())));
  GitFolder git;
  const std::string commit = git.Commit("first");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));
  EXPECT_THAT(repository.ResolveCommit("v9"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("has no 'v9': fetch it")));
  EXPECT_THAT(repository.ReadFile(commit, "no.yaml", GitFolder::kCap),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("holds no file no.yaml")));
}

TEST(LfsPointerTest, TakesOnlyTheSpecifiedForm) {
  const std::string good = PointerTo("weights");
  ASSERT_TRUE(ParseLfsPointer(good).has_value());
  EXPECT_EQ(ParseLfsPointer(good)->size, 7u);
  for (size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(ParseLfsPointer(good.substr(0, cut)).has_value()) << cut;
  }
  EXPECT_FALSE(ParseLfsPointer("an ordinary file\n").has_value());
  EXPECT_FALSE(ParseLfsPointer(good + std::string(1024, 'x') + "\n").has_value());
}

}  // namespace
