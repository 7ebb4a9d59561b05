#include <algorithm>

#include "gatekeeper/source/repository.h"
#include "gtest/gtest.h"
#include "tests/support/git_folder.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace {

using gatekeeper::source::Repository;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using tests::GitFolder;
using tests::StatusIs;

TEST(RepositoryHistoryTest, ListsTheFilesOfACommitAndNoLinks) {
  GitFolder git;
  git.Write("a/b.yaml", "1");
  git.Write("a/c/d.yaml", "2");
  git.Write("ab.yaml", "3");
  git.Git("-c core.symlinks=true update-index --add --cacheinfo 120000," +
          git.Git("hash-object -w a/b.yaml").substr(0, 40) + ",a/link.yaml");
  const std::string commit = git.Commit("first");
  git.Write("a/later.yaml", "4");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));

  ASSERT_OK_AND_ASSIGN(const auto below, repository.ListFiles(commit, "a"));
  EXPECT_THAT(below, ElementsAre("a/b.yaml", "a/c/d.yaml"));
  ASSERT_OK_AND_ASSIGN(const auto all, repository.ListFiles(commit, ""));
  EXPECT_THAT(all, ElementsAre("a/b.yaml", "a/c/d.yaml", "ab.yaml"));
  EXPECT_THAT(repository.ListFiles(commit, "none"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
  EXPECT_THAT(repository.ListFiles(commit, "ab.yaml"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no folder")));
}

TEST(RepositoryHistoryTest, TellsEveryEarlierContentOfAFileAlsoOfAMergedBranch) {
  GitFolder git;
  git.Write("lock", "one");
  const std::string first = git.Commit("first");
  git.Git("checkout -q -b side");
  git.Write("lock", "side");
  git.Commit("side");
  git.Git("checkout -q -");
  git.Write("other", "x");
  git.Commit("main goes on");
  git.Git("merge -q -s ours -m merged side");
  git.Write("lock", "three");
  const std::string last = git.Commit("third");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));

  ASSERT_OK_AND_ASSIGN(const auto all, repository.Versions(last, "lock", GitFolder::kCap));
  EXPECT_THAT(all, UnorderedElementsAre("one", "side", "three"));
  ASSERT_OK_AND_ASSIGN(const auto early, repository.Versions(first, "lock", GitFolder::kCap));
  EXPECT_THAT(early, ElementsAre("one"));
  ASSERT_OK_AND_ASSIGN(const auto none, repository.Versions(last, "absent", GitFolder::kCap));
  EXPECT_TRUE(none.empty());
}

TEST(RepositoryHistoryTest, AShallowCloneHasNoHistoryToTell) {
  GitFolder git;
  git.Write("lock", "one");
  git.Commit("first");
  git.Write("lock", "two");
  const std::string last = git.Commit("second");
  const tests::TempFolder folder;
  git.Git("clone -q --depth 1 file://" + git.path() + " " + (folder / "clone"));
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(folder / "clone"));
  EXPECT_THAT(repository.Versions(last, "lock", GitFolder::kCap),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("shallow")));
  EXPECT_THAT(repository.RequireHistory(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("--unshallow")));
  EXPECT_TRUE(*repository.LeadsTo(last, last)) << "which is here";
  EXPECT_OK(Repository::Open(git.path())->RequireHistory());
}

TEST(RepositoryHistoryTest, KnowsWhatLiesBeforeABranch) {
  GitFolder git;
  git.Write("a", "1");
  const std::string first = git.Commit("first");
  git.Git("checkout -q -b side");
  git.Write("a", "2");
  const std::string side = git.Commit("side");
  git.Git("checkout -q -b trunk " + first);
  git.Write("a", "3");
  const std::string trunk = git.Commit("trunk");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(git.path()));
  EXPECT_TRUE(*repository.IsWithin(first, "trunk"));
  EXPECT_TRUE(*repository.IsWithin(trunk, "trunk"));
  EXPECT_FALSE(*repository.IsWithin(side, "trunk"));
  git.Git("tag trunk " + side);
  EXPECT_FALSE(*repository.IsWithin(side, "trunk")) << "a tag moves no branch";
  EXPECT_THAT(repository.IsWithin(first, "nobody"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nobody")));
}

TEST(RepositoryHistoryTest, AMirrorFollowsItsUrlAndServesKnownCommitsWithoutIt) {
  const tests::TempFolder folder;
  std::string first;
  std::string second;
  std::string url;
  {
    GitFolder git;
    url = "file://" + git.path();
    git.Write("a", "1");
    first = git.Commit("first");
    ASSERT_OK(Repository::OpenMirror(url, folder / "mirror.git", first));
    git.Write("a", "2");
    second = git.Commit("second");
    ASSERT_OK_AND_ASSIGN(const Repository mirror,
                         Repository::OpenMirror(url, folder / "mirror.git", second));
    ASSERT_OK_AND_ASSIGN(const auto file, mirror.ReadFile(second, "a", GitFolder::kCap));
    EXPECT_EQ(file.bytes, "2");
  }
  // The url is gone now.
  ASSERT_OK_AND_ASSIGN(const Repository mirror,
                       Repository::OpenMirror(url, folder / "mirror.git", first));
  ASSERT_OK_AND_ASSIGN(const auto file, mirror.ReadFile(first, "a", GitFolder::kCap));
  EXPECT_EQ(file.bytes, "1");
  EXPECT_THAT(Repository::OpenMirror(url, folder / "mirror.git", std::string(40, 'a')),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("cannot be read")));
}

}  // namespace
