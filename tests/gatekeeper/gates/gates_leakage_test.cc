#include <fstream>

#include "absl/strings/str_format.h"
#include "agent/recording/observation_writer.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/leakage.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using tests::StatusIs;

// A picture with a slanted gradient and a bright square whose place `at` tells apart.
v1::Image Picture(uint32_t at, int brighter = 0) {
  v1::Image image;
  image.set_width(64);
  image.set_height(48);
  image.set_encoding("mono8");
  for (uint32_t y = 0; y < 48; ++y) {
    for (uint32_t x = 0; x < 64; ++x) {
      const bool square = x / 8 == at % 8 && y / 8 == at / 8 % 6;
      const uint32_t grey = square ? 220 : 40 + (x * 7 + y * (3 + at)) % 97;
      image.mutable_data()->push_back(static_cast<char>(static_cast<int>(grey) + brighter));
    }
  }
  return image;
}

v1::LaserScan Scan(float offset) {
  v1::LaserScan scan;
  for (int i = 0; i < 90; ++i) scan.add_ranges_m(1 + offset + 0.01F * static_cast<float>(i));
  return scan;
}

bundle::Document List(const std::vector<Fingerprint>& known) {
  bundle::Document list{.file = "train.txt", .text = "# what the model was trained on\n"};
  for (const Fingerprint& fingerprint : known) list.text += ToText(fingerprint) + "\n";
  return list;
}

class LeakageTest : public testing::Test {
 protected:
  Scenario Clip(const std::string& id, const std::vector<v1::Image>& images,
                const std::vector<v1::LaserScan>& scans) {
    const std::string path = folder_ / (id + ".mcap");
    auto writer = agent::recording::ObservationWriter::Create(path);
    EXPECT_TRUE(writer.ok());
    int64_t at_ns = 1'000'000'000;
    for (const v1::Image& image : images) {
      v1::Observation observation;
      *observation.mutable_image() = image;
      EXPECT_OK(writer->Write(observation, agent::base::Nanos(at_ns += 100'000'000)));
    }
    for (const v1::LaserScan& scan : scans) {
      v1::Observation observation;
      *observation.mutable_scan() = scan;
      EXPECT_OK(writer->Write(observation, agent::base::Nanos(at_ns += 100'000'000)));
    }
    EXPECT_OK(writer->Close());
    Scenario scenario;
    scenario.document.set_id(id);
    scenario.recording = path;
    return scenario;
  }
  v1::GateResult Judge(const bundle::Document& list, const std::vector<Scenario>& scenarios,
                       uint32_t limit = 0) {
    const auto check = CheckLeakage(list, scenarios, std::vector<bool>(scenarios.size(), true));
    EXPECT_OK(check);
    Evidence evidence;
    evidence.suite.mutable_leakage()->set_max_near_duplicates(limit);
    evidence.leakage = std::make_shared<const LeakageCheck>(*check);
    return JudgeLeakage(evidence);
  }

  tests::TempFolder folder_;
};

TEST_F(LeakageTest, OtherClipsOfADriveThatTheModelWasTrainedOnAreNamedToo) {
  std::vector<Scenario> clips = {Clip("a-000", {}, {Scan(0)}), Clip("a-001", {}, {Scan(1)}),
                                 Clip("b-000", {}, {Scan(2)})};
  for (size_t i = 0; i < clips.size(); ++i) {
    clips[i].document.mutable_origin()->set_sha256(std::string(64, i < 2 ? 'a' : 'b'));
  }
  const v1::GateResult result = Judge(List({*FingerprintOf(Scan(1))}), clips);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 2);
  EXPECT_EQ(result.findings(0).scenario(), "a-000") << "clip by clip, as shards tell them";
  EXPECT_EQ(result.findings(1).scenario(), "a-001");
  EXPECT_THAT(result.findings(0).message(), HasSubstr("same drive as a-001"));
}

TEST_F(LeakageTest, UnknownPicturesAndScansPass) {
  const Scenario clip = Clip("clip", {Picture(1), Picture(20)}, {Scan(0), Scan(1)});
  const auto result = Judge(List({*FingerprintOf(Picture(40)), *FingerprintOf(Scan(2))}), {clip});
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
  EXPECT_EQ(result.n(), 4u);
}

TEST_F(LeakageTest, OneTrainingSampleInAClipFailsWithItsSecond) {
  const Scenario clip = Clip("clip", {Picture(1), Picture(20)}, {Scan(0), Scan(1)});
  const auto image = Judge(List({*FingerprintOf(Picture(20))}), {clip});
  EXPECT_EQ(image.outcome(), v1::FAIL);
  ASSERT_EQ(image.findings_size(), 1);
  EXPECT_EQ(image.findings(0).scenario(), "clip");
  EXPECT_NEAR(image.findings(0).at_s(), 0.1, 1e-9);
  const auto scan = Judge(List({*FingerprintOf(Scan(1))}), {clip});
  EXPECT_EQ(scan.outcome(), v1::FAIL);
  EXPECT_NEAR(scan.findings(0).at_s(), 0.3, 1e-9);
}

TEST_F(LeakageTest, ABrighterCopyIsANearDuplicateUpToTheLimit) {
  const Scenario clip = Clip("clip", {Picture(1, 5), Picture(20)}, {});
  const bundle::Document list = List({*FingerprintOf(Picture(1))});
  const auto none = Judge(list, {clip}, 0);
  EXPECT_EQ(none.outcome(), v1::FAIL);
  EXPECT_THAT(none.findings(0).message(), HasSubstr("of 64 bits"));
  EXPECT_EQ(Judge(list, {clip}, 1).outcome(), v1::PASS);
}

TEST_F(LeakageTest, WithoutSamplesOrTrainingListTheEvidenceIsInsufficient) {
  const bundle::Document list = List({*FingerprintOf(Scan(0))});
  EXPECT_EQ(Judge(list, {Clip("blind", {}, {v1::LaserScan()})}).outcome(), v1::INSUFFICIENT);
  EXPECT_EQ(Judge(list, {}).outcome(), v1::INSUFFICIENT);
  EXPECT_EQ(Judge(List({}), {Clip("clip", {}, {Scan(0)})}).outcome(), v1::INSUFFICIENT);
}

TEST(TrainingSetTest, FindsEveryHashWithinFourBitsAndNoneBeyond) {
  constexpr uint64_t kHash = 0x0123456789abcdef;
  const auto set =
      TrainingSet::Parse({.file = "t", .text = std::string(64, 'a') + " dhash:0123456789abcdef\n"});
  ASSERT_OK(set);
  EXPECT_EQ(set->Nearest(kHash), 0);
  for (int first = 0; first < 60; ++first) {
    const uint64_t four = uint64_t{0xf} << first;
    EXPECT_EQ(set->Nearest(kHash ^ four), 4) << first;
    EXPECT_EQ(set->Nearest(kHash ^ four ^ (uint64_t{1} << (first + 8) % 64)),
              (first + 8) % 64 >= first && (first + 8) % 64 < first + 4 ? 3 : -1)
        << first;
  }
  // One bit in each of four bands: the fifth must still find it.
  EXPECT_EQ(set->Nearest(kHash ^ 1 ^ (1ULL << 13) ^ (1ULL << 26) ^ (1ULL << 39)), 4);
  EXPECT_EQ(set->Nearest(kHash ^ 1 ^ (1ULL << 13) ^ (1ULL << 26) ^ (1ULL << 39) ^ (1ULL << 52)),
            -1);
}

TEST(TrainingSetTest, RefusesWhatIsNoDigestWithItsLine) {
  const std::string digest(64, 'a');
  for (const std::string& bad :
       {std::string("abc"), digest + "b", digest + " dhash:12", digest + " dhash:0123456789abcdeg",
        digest + " phash:0123456789abcdef", std::string(63, 'a') + "G",
        digest + "  dhash:0123456789abcdef"}) {
    EXPECT_THAT(TrainingSet::Parse({.file = "train.txt", .text = digest + "\n# note\n" + bad}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("train.txt:3")))
        << bad;
  }
  ASSERT_OK_AND_ASSIGN(const auto set,
                       TrainingSet::Parse({.file = "t", .text = digest + " # a\r\n\n"}));
  EXPECT_EQ(set.size(), 1u);
}

TEST(FingerprintTest, IsOfTheContentAndNotOfTheStamp) {
  v1::Image image = Picture(3);
  const auto before = FingerprintOf(image);
  image.set_stamp_ns(5);
  EXPECT_EQ(ToText(*FingerprintOf(image)), ToText(*before));
  image.mutable_data()->back() = 1;
  EXPECT_NE(FingerprintOf(image)->content, before->content);
}

TEST(FingerprintTest, WhatShowsNothingHasNone) {
  v1::Image flat;
  flat.set_width(32);
  flat.set_height(32);
  flat.set_encoding("mono8");
  flat.set_data(std::string(1024, '\x30'));
  EXPECT_FALSE(FingerprintOf(flat).has_value());
  (*flat.mutable_data())[5] = '\x31';  // no longer of one colour, and without contrast
  ASSERT_TRUE(FingerprintOf(flat).has_value());
  EXPECT_FALSE(FingerprintOf(flat)->dhash.has_value());
  flat.mutable_data()->pop_back();  // shorter than its size says
  EXPECT_FALSE(FingerprintOf(flat).has_value());

  v1::LaserScan covered;
  for (int i = 0; i < 90; ++i) covered.add_ranges_m(static_cast<float>(i % 7));
  EXPECT_FALSE(FingerprintOf(covered).has_value());
  covered.set_ranges_m(0, 8.5F);
  EXPECT_TRUE(FingerprintOf(covered).has_value());
}

TEST(FingerprintTest, AnImageSmallerThanTheCellsIsStretched) {
  v1::Image tiny;
  tiny.set_width(2);
  tiny.set_height(1);
  tiny.set_encoding("rgb8");
  tiny.set_data(std::string("\x00\x00\x00\xff\xff\xff", 6));
  ASSERT_TRUE(FingerprintOf(tiny).has_value());
  EXPECT_TRUE(FingerprintOf(tiny)->dhash.has_value());
}

}  // namespace
}  // namespace gatekeeper::gates
