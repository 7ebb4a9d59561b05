#include <string>

#include "agent/trust/semantic_version.h"
#include "gtest/gtest.h"

namespace {

using agent::trust::IsSemanticVersion;

TEST(SemanticVersionTest, TakesWhatTheSpecificationTakes) {
  for (const char* version : {"0.0.0", "1.4.0", "10.20.30", "1.0.0-rc.1", "1.0.0-alpha-a.b-c",
                              "1.0.0+build.7", "1.0.0-0A.is.legal+meta-9", "1.0.0--"}) {
    EXPECT_TRUE(IsSemanticVersion(version)) << version;
  }
}

TEST(SemanticVersionTest, RefusesEverythingElse) {
  for (const char* version : {"", "1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.03", "v1.2.3",
                              "1.2.3-", "1.2.3+", "1.2.3-a..b", "1.2.3-a.", "1.2.3 ", " 1.2.3",
                              "1.2.x", "1.2.3-ä", "-1.2.3", "1..3", "1.2.3\n"}) {
    EXPECT_FALSE(IsSemanticVersion(version)) << version;
  }
}

TEST(SemanticVersionTest, EndsAt64Bytes) {
  EXPECT_TRUE(IsSemanticVersion("1.2.3-" + std::string(58, 'a')));
  EXPECT_FALSE(IsSemanticVersion("1.2.3-" + std::string(59, 'a')));
}

}  // namespace
