#include <gtest/gtest.h>

#include "agent/trust/hash.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::trust {
namespace {

using testing::HasSubstr;
using tests::StatusIs;

TEST(HashTest, GivesThePublishedValues) {  // FIPS 180-2, appendix B
  EXPECT_EQ(Sha256("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256("abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256(std::string(1'000'000, 'a')).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(HashTest, PiecesHashLikeTheWhole) {
  Sha256Stream stream;
  stream.Update("a");
  stream.Update("");
  stream.Update("bc");
  EXPECT_EQ(stream.Finish(), Sha256("abc"));
}

TEST(HashTest, AFileHashesLikeItsBytesWhateverItsSize) {
  const tests::TempFolder folder;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{256 * 1024}, size_t{256 * 1024 + 1}}) {
    const std::string bytes(size, 'x');
    tests::WriteFile(folder / "file", bytes);
    ASSERT_OK_AND_ASSIGN(const Digest digest, Sha256File(folder / "file"));
    EXPECT_EQ(digest, Sha256(bytes)) << size;
  }
}

TEST(HashTest, AnAbsentFileIsNotFoundAndAFolderIsAnError) {
  const tests::TempFolder folder;
  EXPECT_THAT(Sha256File(folder / "none"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
  EXPECT_THAT(Sha256File(folder.path()), StatusIs(absl::StatusCode::kInternal, HasSubstr("read")));
}

TEST(HashTest, TokensAreThirtyTwoHexDigitsAndNeverTheSame) {
  const std::string token = RandomToken();
  EXPECT_EQ(token.size(), 32U);
  EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(token, RandomToken());
}

}  // namespace
}  // namespace agent::trust
