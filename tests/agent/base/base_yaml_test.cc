#include <random>

#include "agent/base/yaml_document.h"
#include "gtest/gtest.h"
#include "proto/policy.pb.h"
#include "tests/agent/base/refusals.h"
#include "tests/support/status_matchers.h"

namespace {

using agent::base::ReadYaml;
using gatekeeper::v1::ControlPolicy;
using testing::AllOf;
using tests::RefusedWith;

constexpr char kGood[] = R"(schema: control_policy/1
id: amr
version: 3
inputs:
  scan: {required: true, trigger: input_stale, max_age_ms: 250}
limits:
  nominal:
    speed_points_mps: [0.0, 0.5]
    vx_max_mps: 1.2
envelope:
  - id: hall
    kind: inclusion
    polygon_m: [[0, 0], [20, 0], [20, 12]]
  - {id: stairs, kind: exclusion, circle_m: {c: [18, 2], r: 1.5}}
)";

absl::Status Read(const std::string& text) {
  ControlPolicy policy;
  return ReadYaml(text, "policy.yaml", "control_policy/1", policy).status();
}

TEST(YamlDocumentTest, ReadsMapsListsAndPoints) {
  ControlPolicy policy;
  ASSERT_OK_AND_ASSIGN(const auto map, ReadYaml(kGood, "policy.yaml", "control_policy/1", policy));

  EXPECT_EQ(policy.version(), 3u);
  EXPECT_DOUBLE_EQ(policy.inputs().at("scan").max_age_ms(), 250);
  EXPECT_DOUBLE_EQ(policy.limits().nominal().vx_max_mps(), 1.2);
  EXPECT_DOUBLE_EQ(policy.envelope(0).polygon_m(1).x(), 20);
  EXPECT_DOUBLE_EQ(policy.envelope(1).circle_m().c().y(), 2);
  EXPECT_EQ(map.Locate("limits.nominal.vx_max_mps"), "policy.yaml:9:5");
  EXPECT_EQ(map.Line("envelope[1].kind"), 14);
}

TEST(YamlDocumentTest, LocatesWhatIsNotWrittenAtItsNearestParent) {
  ControlPolicy policy;
  ASSERT_OK_AND_ASSIGN(const auto map, ReadYaml(kGood, "policy.yaml", "control_policy/1", policy));

  EXPECT_EQ(map.Locate("limits.nominal.vx_min_mps"), "policy.yaml:7:3");
  EXPECT_EQ(map.Locate("deadline.hard_ms"), "policy.yaml:1:1");
}

TEST(YamlDocumentTest, NamesTheNearestKnownKey) {
  EXPECT_THAT(Read("schema: control_policy/1\nlimitz: {}\n"),
              RefusedWith("policy.yaml:2:1: unknown key 'limitz'; did you mean 'limits'?"));
}

TEST(YamlDocumentTest, SaysThatAUnitIsMissingFromAKey) {
  EXPECT_THAT(Read("schema: control_policy/1\ninputs:\n  scan: {max_age: 250}\n"),
              RefusedWith("policy.yaml:3:10: unknown key 'max_age'; its unit belongs in the key: "
                          "'max_age_ms'"));
}

TEST(YamlDocumentTest, ListsTheKnownKeysWhenNoneIsNear) {
  EXPECT_THAT(Read("schema: control_policy/1\ndeadline:\n  qqqqqqqqqqqq: 1\n"),
              RefusedWith("known here: hard_ms"));
}

TEST(YamlDocumentTest, RefusesARepeatedKey) {
  EXPECT_THAT(Read("schema: control_policy/1\nid: a\nid: b\n"),
              RefusedWith("policy.yaml:3:1: key 'id' is given twice"));
  EXPECT_THAT(Read("schema: control_policy/1\ninputs:\n  a: {}\n  a: {}\n"),
              RefusedWith("policy.yaml:4:3: key 'a' is given twice"));
}

TEST(YamlDocumentTest, RefusesWrongTypes) {
  EXPECT_THAT(Read("schema: control_policy/1\nversion: three\n"),
              RefusedWith("version must be a whole number, 0 or more, is 'three'"));
  EXPECT_THAT(Read("schema: control_policy/1\nversion: -1\n"), RefusedWith("is '-1'"));
  EXPECT_THAT(Read("schema: control_policy/1\nversion: 4294967296\n"), RefusedWith("4294967296"));
  EXPECT_THAT(Read("schema: control_policy/1\nlimits: 3\n"), RefusedWith("must be a mapping"));
  EXPECT_THAT(Read("schema: control_policy/1\nenvelope: {}\n"), RefusedWith("must be a list"));
  EXPECT_THAT(Read("schema: control_policy/1\nid: [a]\n"), RefusedWith("must be a single value"));
  EXPECT_THAT(Read("schema: control_policy/1\ninputs: {scan: {required: yes}}\n"),
              RefusedWith("must be true or false, is 'yes'"));
  EXPECT_THAT(Read("schema: control_policy/1\ninputs: {scan: {max_age_ms: \"9\"}}\n"),
              RefusedWith("must be a finite number"));
}

TEST(YamlDocumentTest, RefusesNumbersThatAreNotFinite) {
  for (const char* value : {".nan", "nan", ".inf", "inf", "-inf", "1e999"}) {
    EXPECT_THAT(Read(std::string("schema: control_policy/1\ndeadline: {hard_ms: ") + value + "}\n"),
                RefusedWith("must be a finite number"))
        << value;
  }
}

TEST(YamlDocumentTest, RefusesAPointWithThreeNumbers) {
  EXPECT_THAT(Read("schema: control_policy/1\nenvelope: [{polygon_m: [[1, 2, 3]]}]\n"),
              RefusedWith("envelope[0].polygon_m[0] must have 2 numbers, has 3"));
}

TEST(YamlDocumentTest, RefusesAnotherSchema) {
  EXPECT_THAT(Read("schema: control_policy/2\n"),
              RefusedWith("schema must be 'control_policy/1', is 'control_policy/2'"));
  EXPECT_THAT(Read("id: a\n"), RefusedWith("schema must be 'control_policy/1', is ''"));
}

TEST(YamlDocumentTest, RefusesAliasesTagsAndSecondDocuments) {
  EXPECT_THAT(Read("schema: control_policy/1\nid: &a x\nrobot_class: *a\n"),
              RefusedWith("policy.yaml:2:5: anchors and aliases"));
  EXPECT_THAT(Read("schema: control_policy/1\nid: !!binary aaaa\n"), RefusedWith("tags"));
  EXPECT_THAT(Read("schema: control_policy/1\n---\nid: a\n"), RefusedWith("more than one"));
}

TEST(YamlDocumentTest, EndsWhereTheParserWouldFindEmptyDocumentsForEver) {
  EXPECT_THAT(Read("# a comment\n,schema: control_policy/1\n"), RefusedWith("policy.yaml:2:1"));
  EXPECT_THAT(Read(",schema: control_policy/1\n"), RefusedWith("more than one"));
}

TEST(YamlDocumentTest, RefusesDeepNestingAndLargeFiles) {
  EXPECT_THAT(Read("schema: control_policy/1\nid: " + std::string(5000, '[')),
              RefusedWith("nested too deeply"));
  EXPECT_THAT(Read(std::string((1 << 20) + 1, ' ')), RefusedWith("at most"));
}

TEST(YamlDocumentTest, SurvivesTruncationAndBitFlips) {
  const std::string good = kGood;
  for (size_t cut = 0; cut < good.size(); ++cut) (void)Read(good.substr(0, cut));
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    std::string bad = good;
    bad[random() % bad.size()] ^= static_cast<char>(1u << (random() % 8));
    (void)Read(bad);
  }
}

}  // namespace
