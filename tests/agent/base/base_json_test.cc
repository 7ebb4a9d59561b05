#include <random>

#include "agent/base/digest.h"
#include "agent/base/strict_json.h"
#include "gtest/gtest.h"
#include "tests/agent/base/refusals.h"
#include "tests/support/status_matchers.h"

namespace {

using agent::base::CanonicalJson;
using agent::base::Digest;
using agent::base::ParseStrictJson;
using tests::IsOk;
using tests::RefusedWith;

TEST(StrictJsonTest, ReadsWhatIsWellFormed) {
  ASSERT_OK_AND_ASSIGN(const auto value, ParseStrictJson(R"({"b":[1,{"a":2}],"a":"x"})", "m"));
  EXPECT_EQ(CanonicalJson(value), R"({"a":"x","b":[1,{"a":2}]})");
}

TEST(StrictJsonTest, RefusesARepeatedKeyAtAnyDepth) {
  EXPECT_THAT(ParseStrictJson(R"({"a":1,"a":2})", "m"), RefusedWith("m repeats the key 'a'"));
  EXPECT_THAT(ParseStrictJson(R"([{"x":{"a":1,"b":{},"a":2}}])", "m"), RefusedWith("'a'"));
  EXPECT_THAT(ParseStrictJson(R"({"x":{"a":1},"y":{"a":1}})", "m"), IsOk());
}

TEST(StrictJsonTest, RefusesTrailingBytesAndBrokenText) {
  EXPECT_THAT(ParseStrictJson("{} {}", "m"), RefusedWith("m is not JSON"));
  EXPECT_THAT(ParseStrictJson("", "m"), RefusedWith("m is not JSON"));
  EXPECT_THAT(ParseStrictJson("{\"a\":\"\xff\"}", "m"), RefusedWith("m is not JSON"));
}

TEST(StrictJsonTest, RefusesNestingDeeperThan32) {
  EXPECT_THAT(ParseStrictJson(std::string(32, '[') + std::string(32, ']'), "m"), IsOk());
  EXPECT_THAT(ParseStrictJson(std::string(33, '[') + std::string(33, ']'), "m"),
              RefusedWith("deeper than 32"));
  EXPECT_THAT(ParseStrictJson(std::string(1000000, '['), "m"), RefusedWith("deeper than 32"));
}

TEST(StrictJsonTest, SurvivesTruncationAndBitFlips) {
  const std::string good = R"({"files":[{"path":"a\"b","size":12}],"n":null,"t":true})";
  for (size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(ParseStrictJson(good.substr(0, cut), "m").ok());
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string bad = good;
    bad[random() % bad.size()] ^= static_cast<char>(1u << (random() % 8));
    (void)ParseStrictJson(bad, "m");
  }
}

TEST(DigestTest, RoundTripsThroughHex) {
  const std::string hex(std::string(62, 'a') + "0f");
  ASSERT_OK_AND_ASSIGN(const Digest digest, Digest::Parse(hex));
  EXPECT_EQ(digest.hex(), hex);
  EXPECT_EQ(digest.short_hex(), "aaaaaaaaaaaa");
}

TEST(StrictJsonTest, QuotesNothingThatIsNoText) {
  const absl::Status refused = ParseStrictJson("{\"a\": \xff\xfe\n", "x").status();
  EXPECT_FALSE(refused.ok());
  for (const char c : refused.message()) EXPECT_TRUE(c >= ' ' && c <= '~') << int{c};
}

TEST(DigestTest, RefusesWrongLengthAndUpperCase) {
  EXPECT_FALSE(Digest::Parse(std::string(63, 'a')).ok());
  EXPECT_FALSE(Digest::Parse(std::string(65, 'a')).ok());
  EXPECT_FALSE(Digest::Parse(std::string(64, 'A')).ok());
  EXPECT_FALSE(Digest::Parse("").ok());
}

}  // namespace
