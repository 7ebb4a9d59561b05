#include <gtest/gtest.h>

#include <functional>

#include "agent/trust/manifest.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/status_matchers.h"

namespace agent::trust {
namespace {

namespace v1 = ::gatekeeper::v1;
using Json = nlohmann::json;
using testing::_;
using testing::HasSubstr;
using testing::Not;
using tests::StatusIs;

v1::Manifest Good() { return tests::ManifestOf(tests::UnitBytes()); }

v1::Manifest WithFiles(const std::vector<std::string>& extra) {
  std::map<std::string, std::string> files = tests::UnitBytes();
  for (const std::string& path : extra) files[path] = "x";
  return tests::ManifestOf(files);
}

TEST(ManifestTest, IsWrittenInOneFormOnly) {
  v1::Manifest manifest = Good();
  manifest.clear_files();
  v1::UnitFile& file = *manifest.add_files();
  file.set_path("a");
  file.set_size(7);
  file.set_sha256("00");
  EXPECT_EQ(CanonicalManifest(manifest),
            R"({"commit":"0123456789abcdef0123456789abcdef01234567",)"
            R"("files":[{"path":"a","sha256":"00","size":7}],"hardware":["amr-v2"],"name":"nav",)"
            R"("schema":"manifest/1","spec_path":"nav/release.yaml","version":"1.4.0"})");
}

TEST(ManifestTest, KeepsItsContentOverTheBytes) {
  const std::string bytes = CanonicalManifest(Good());
  ASSERT_OK_AND_ASSIGN(const v1::Manifest read, ParseManifest(bytes));
  EXPECT_EQ(read.SerializeAsString(), Good().SerializeAsString());
  EXPECT_EQ(CanonicalManifest(read), bytes);
}

TEST(ManifestTest, NamesItsSafetyCaseOrHoldsNothingOfIt) {
  v1::Manifest manifest = Good();
  EXPECT_THAT(CanonicalManifest(manifest), Not(HasSubstr("safety_case")));
  manifest.set_safety_case("SC-12 rev 4");
  const std::string bytes = CanonicalManifest(manifest);
  EXPECT_THAT(bytes, HasSubstr(R"("name":"nav","safety_case":"SC-12 rev 4","schema":)"));
  ASSERT_OK_AND_ASSIGN(const v1::Manifest read, ParseManifest(bytes));
  EXPECT_EQ(read.safety_case(), "SC-12 rev 4");

  manifest.set_safety_case(std::string(kMaxSafetyCase, 'x'));
  EXPECT_OK(CheckManifest(manifest));
  for (const std::string& bad :
       {std::string(kMaxSafetyCase + 1, 'x'), std::string("a\nb"), std::string("a\xff")}) {
    manifest.set_safety_case(bad);
    EXPECT_THAT(CheckManifest(manifest),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("safety_case")));
  }
  Json empty = Json::parse(CanonicalManifest(Good()));
  empty["safety_case"] = "";  // the same content in other bytes
  EXPECT_THAT(ParseManifest(empty.dump()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("canonical")));
  empty["safety_case"] = 4;
  EXPECT_THAT(ParseManifest(empty.dump()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("safety_case wants text")));
}

TEST(ManifestTest, RefusesTheSameContentInOtherBytes) {
  const std::string bytes = CanonicalManifest(Good());
  const Json json = Json::parse(bytes);
  for (const std::string& other : {bytes + "\n", " " + bytes, json.dump(1)}) {
    EXPECT_THAT(ParseManifest(other),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("canonical")));
  }
  const auto replaced = [&bytes](const std::string& from, const std::string& to) {
    std::string text = bytes;
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT_THAT(ParseManifest(replaced("\"nav\"", "\"na\\u0076\"")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("canonical")));
  EXPECT_THAT(ParseManifest(replaced("\"name\":", "\"name\":\"x\",\"name\":")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("repeats")));
  EXPECT_THAT(ParseManifest(replaced("\"size\":", "\"size\":1.0e0,\"siz\":")),
              StatusIs(absl::StatusCode::kInvalidArgument, _));
}

TEST(ManifestTest, RefusesOtherFieldsAndTypes) {
  const Json good = Json::parse(CanonicalManifest(Good()));
  for (const char* patch : {
           R"([{"op":"add","path":"/min_agent","value":"1"}])",
           R"([{"op":"remove","path":"/hardware"}])",
           R"([{"op":"replace","path":"/hardware","value":"amr"}])",
           R"([{"op":"replace","path":"/hardware","value":[1]}])",
           R"([{"op":"replace","path":"/name","value":1}])",
           R"([{"op":"replace","path":"/version","value":null}])",
           R"([{"op":"replace","path":"/files","value":{}}])",
           R"([{"op":"replace","path":"/files/0","value":"x"}])",
           R"([{"op":"add","path":"/files/0/mode","value":493}])",
           R"([{"op":"replace","path":"/files/0/size","value":-1}])",
           R"([{"op":"replace","path":"/files/0/size","value":1.0}])",
           R"([{"op":"replace","path":"/files/0/size","value":"18"}])",
           R"([{"op":"replace","path":"/files/0/sha256","value":7}])",
           R"([{"op":"replace","path":"","value":[]}])",
       }) {
    EXPECT_THAT(ParseManifest(good.patch(Json::parse(patch)).dump()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("manifest.json")))
        << patch;
  }
}

TEST(ManifestTest, HoldsEveryFieldToItsRule) {
  const std::pair<const char*, std::function<void(v1::Manifest&)>> changes[] = {
      {"schema", [](auto& m) { m.set_schema("manifest/2"); }},
      {"name", [](auto& m) { m.set_name(""); }},
      {"name", [](auto& m) { m.set_name("../nav"); }},
      {"name", [](auto& m) { m.set_name(std::string(65, 'a')); }},
      {"version", [](auto& m) { m.set_version("1.4"); }},
      {"version", [](auto& m) { m.set_version("01.4.0"); }},
      {"version", [](auto& m) { m.set_version("1.4.0-"); }},
      {"version", [](auto& m) { m.set_version("v1.4.0"); }},
      {"version", [](auto& m) { m.set_version("1.4.0-" + std::string(80, 'a')); }},
      {"commit", [](auto& m) { m.set_commit("0123456789ABCDEF0123456789abcdef01234567"); }},
      {"commit", [](auto& m) { m.set_commit("0123"); }},
      {"spec_path", [](auto& m) { m.set_spec_path(""); }},
      {"spec_path", [](auto& m) { m.set_spec_path("/etc/release.yaml"); }},
      {"spec_path", [](auto& m) { m.set_spec_path("a/../../release.yaml"); }},
      {"spec_path", [](auto& m) { m.set_spec_path("a\nb"); }},
      {"spec_path", [](auto& m) { m.set_spec_path("a\xff"); }},
      {"hardware", [](auto& m) { m.add_hardware("amr-v2"); }},
      {"hardware", [](auto& m) { m.add_hardware("a b"); }},
      {"sha256", [](auto& m) { m.mutable_files(0)->set_sha256("00"); }},
      {"sha256", [](auto& m) { m.mutable_files(0)->set_sha256(std::string(64, 'A')); }},
      {"at most", [](auto& m) { m.mutable_files(0)->set_size(kMaxUnitFileBytes + 1); }},
      {"sorted", [](auto& m) { m.mutable_files()->SwapElements(0, 1); }},
      {"repeated", [](auto& m) { *m.add_files() = m.files(m.files_size() - 1); }},
  };
  for (const auto& [field, change] : changes) {
    v1::Manifest manifest = Good();
    change(manifest);
    EXPECT_THAT(CheckManifest(manifest),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(field)))
        << manifest.ShortDebugString();
  }
}

TEST(ManifestTest, TakesWhatStandsJustInsideTheRules) {
  const std::function<void(v1::Manifest&)> changes[] = {
      [](auto& m) { m.set_name(std::string(64, 'a')); },
      [](auto& m) { m.set_version("0.0.0-rc.1+build.7"); },
      [](auto& m) { m.clear_hardware(); },
      [](auto& m) { m.set_spec_path("h\xc3\xb6lle/release..yaml"); },
      [](auto& m) { m.mutable_files(0)->set_size(kMaxUnitFileBytes); },
      [](auto& m) { m.mutable_files(0)->set_size(0); },
  };
  for (const auto& change : changes) {
    v1::Manifest manifest = Good();
    change(manifest);
    EXPECT_OK(ParseManifest(CanonicalManifest(manifest))) << manifest.ShortDebugString();
  }
}

TEST(ManifestTest, NoUnitIsAModelAlone) {
  for (const char* missing : {kModelFile, kCardFile, kPolicyFile, kFallbackFile}) {
    std::map<std::string, std::string> files = tests::UnitBytes();
    files.erase(missing);
    EXPECT_THAT(CheckManifest(tests::ManifestOf(files)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(missing)));
  }
}

TEST(ManifestTest, RefusesPathsThatLeadOutOrMeanTwoThings) {
  for (const std::string& path :
       {std::string(), std::string("/etc/passwd"), std::string("../x"),
        std::string("model/../../x"), std::string("model/.."), std::string("./x"),
        std::string("model//x"), std::string("model/"), std::string("a\\b"), std::string("a b"),
        std::string("a\0b", 3), std::string("a\nb"), std::string("\xc3\xa9"), std::string("C:x"),
        std::string("~"), std::string(256, 'a'), std::string(513, '/')}) {
    EXPECT_THAT(CheckUnitPath(path),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("path")))
        << path;
    EXPECT_FALSE(CheckManifest(WithFiles({path})).ok()) << path;
  }
  for (const std::string& path : {std::string("a"), std::string("a/b/c"), std::string("..a/b.."),
                                  std::string(".hidden"), std::string(255, 'a')}) {
    EXPECT_OK(CheckUnitPath(path));
    EXPECT_OK(CheckManifest(WithFiles({path}))) << path;
  }
}

TEST(ManifestTest, RefusesPathsThatSomeFileSystemsWouldMerge) {
  const std::vector<std::string> twins[] = {{"Model/model.onnx"}, {"a/x", "A/y"}, {"a/b", "a/B"},
                                            {"a", "a/b"},         {"A", "a/b"},   {"model"}};
  for (const std::vector<std::string>& extra : twins) {
    EXPECT_FALSE(CheckManifest(WithFiles(extra)).ok()) << extra[0];
  }
}

TEST(ManifestTest, MayNotListItselfOrTheSeal) {
  for (const char* path :
       {"manifest.json", "Manifest.json", "seal", "seal/x", "Seal/unit.sigstore.json"}) {
    EXPECT_THAT(CheckManifest(WithFiles({path})),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("stand outside")));
  }
}

TEST(ManifestTest, CapsSizesBeforeItReads) {
  std::vector<std::string> many;
  for (int i = 0; i < kMaxUnitFiles - 4; ++i) many.push_back("extra/" + std::to_string(i));
  EXPECT_OK(CheckManifest(WithFiles(many)));
  many.push_back("one-more");
  EXPECT_THAT(CheckManifest(WithFiles(many)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("257 files")));
  EXPECT_THAT(ParseManifest(std::string(kMaxManifestBytes + 1, ' ')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most")));
}

TEST(ManifestTest, AFlippedOrCutByteIsRefusedOrSaysSomethingElse) {
  const std::string good = CanonicalManifest(Good());
  for (size_t at = 0; at < good.size(); ++at) {
    EXPECT_FALSE(ParseManifest(good.substr(0, at)).ok()) << at;
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = good;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      const absl::StatusOr<v1::Manifest> read = ParseManifest(flipped);
      if (read.ok()) {
        EXPECT_EQ(CanonicalManifest(*read), flipped);
      }
    }
  }
}

}  // namespace
}  // namespace agent::trust
