#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/trust/hash.h"
#include "gatekeeper/report/text.h"
#include "nlohmann/json.hpp"

// SARIF 2.1.0 as code scanning takes it: at most 5,000 results are shown and 10 MB (packed) are
// read, and a file in which one result has no place is refused whole. What happened in a recording
// stands at its scenario's file, with the second in the message; what is said of a whole gate
// stands at the suite. GitHub follows no originalUriBaseIds and takes every relative path for one
// of its repository, so that what lies in another root must say so in the path itself; the bases
// are for readers that do follow them.

namespace gatekeeper::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxResults = 5000;  // with kMaxMessage below 10 MB even unpacked

constexpr char kFingerprint[] = "gatekeeper/v1";

const char* Level(const v1::GateResult& gate) {
  if (gate.outcome() == v1::FAIL && !gate.waived()) return "error";
  return gate.outcome() == v1::PASS ? "note" : "warning";
}

// The same finding of the next run gives the same text: no second, no measured number.
std::string Fingerprint(const v1::GateResult& gate, const v1::Finding& finding) {
  const std::string what = finding.file().empty() ? finding.scenario() + '\n' + finding.segment()
                                                  : finding.file() + '\n' + finding.message();
  return agent::trust::Sha256(gate.id() + '\n' + what).hex().substr(0, 32);
}

constexpr char kCheckout[] = "%SRCROOT%";  // as other tools call it, and GitHub expects it
constexpr char kPolicy[] = "POLICY";

// Where what has no place of its own stands.
SourceFile SuiteFile(const v1::GateReport& report, const Place& place) {
  const std::string& path = report.plan().suite_path();
  return {path.empty() ? report.suite_id() : path, &place.policy};
}

bool IsElsewhere(const SourceFile& file) { return file.root != nullptr && file.root->elsewhere; }

Json BasesOf(const v1::GateReport& report, const Place& place) {
  Json bases = Json::object();
  if (!place.folder.empty()) bases[kCheckout] = {{"uri", FolderUri(place.folder)}};
  if (place.policy.elsewhere || place.scenarios.elsewhere) {
    bases[kPolicy] = {
        {"description",
         {{"text",
           absl::StrFormat("Not in this checkout. Paths begin with the repository and the commit: "
                           "the suite is %s of %s.",
                           report.plan().suite_path(), place.policy.path)}}}};
  }
  return bases;
}

class Results {
 public:
  Results(const v1::GateReport& report, const Place& place)
      : report_(report), place_(place), suite_(SuiteFile(report, place)) {}

  // A gate that does not hold always has a result, be it without findings.
  void Add(const v1::GateResult& gate) {
    if (gate.outcome() == v1::PASS) return;
    v1::Finding whole;
    whole.set_message(gate.summary());
    AddOne(gate, whole);
    for (const v1::Finding& finding : gate.findings()) AddOne(gate, finding);
  }

  Json Take() {
    if (left_out_ > 0) {
      // The last that fitted gives way to the word of those that did not.
      Json& last = results_.back();
      last["message"]["text"] = absl::StrFormat(
          "and %d more: the other reports of this run hold all of them", left_out_ + 1);
      last["locations"] = Json::array({At(suite_, 1)});
      last["partialFingerprints"] = {{kFingerprint, "more"}};
    }
    return std::move(results_);
  }

 private:
  Json At(const SourceFile& file, uint32_t line) const {
    const std::string uri = SourceUri(file, place_);
    Json artifact = {{"uri", uri}};
    if (IsElsewhere(file)) {
      artifact["uriBaseId"] = kPolicy;
    } else if (!place_.folder.empty() && !uri.starts_with("file:")) {
      artifact["uriBaseId"] = kCheckout;
    }
    return {{"physicalLocation",
             {{"artifactLocation", std::move(artifact)}, {"region", {{"startLine", line}}}}}};
  }

  Json Where(const v1::GateResult& gate, const v1::Finding& finding) const {
    const SourceFile file = FileOf(report_, gate, finding, place_);
    Json where = At(file.path.empty() ? suite_ : file, std::max<uint32_t>(finding.line(), 1));
    if (!finding.scenario().empty()) {
      where["logicalLocations"] =
          Json::array({{{"fullyQualifiedName",
                         absl::StrFormat("%s at %.2f s", finding.scenario(), finding.at_s())}}});
    }
    return where;
  }

  void AddOne(const v1::GateResult& gate, const v1::Finding& finding) {
    if (results_.size() == kMaxResults) {
      ++left_out_;
      return;
    }
    results_.push_back({{"ruleId", gate.id()},
                        {"level", Level(gate)},
                        {"message", {{"text", Shortened(FindingText(finding), kMaxMessage)}}},
                        {"partialFingerprints", {{kFingerprint, Fingerprint(gate, finding)}}},
                        {"locations", Json::array({Where(gate, finding)})}});
  }

  const v1::GateReport& report_;
  const Place& place_;
  const SourceFile suite_;
  Json results_ = Json::array();
  size_t left_out_ = 0;
};

}  // namespace

std::string SarifReport(const v1::GateReport& report, const Place& place) {
  Json rules = Json::array();
  Results results(report, place);
  for (const v1::GateResult& gate : report.gates()) {
    rules.push_back({{"id", gate.id()}, {"shortDescription", {{"text", "gate " + gate.id()}}}});
  }
  for (const v1::GateResult* gate : WorstFirst(report)) results.Add(*gate);
  Json run = {{"tool", {{"driver", {{"name", "gatekeeper"}, {"rules", rules}}}}},
              {"automationDetails", {{"id", "gates/" + report.suite_id() + "/"}}},
              {"properties",
               {{"unit", report.unit_name() + "@" + report.unit_version()},
                {"unit_sha256", report.unit_digest()},
                {"suite_sha256", report.suite_sha256()},
                {"outcome", OutcomeName(report.outcome())}}}};
  Json bases = BasesOf(report, place);
  if (!bases.empty()) run["originalUriBaseIds"] = std::move(bases);
  run["results"] = results.Take();
  const Json sarif = {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                      {"version", "2.1.0"},
                      {"runs", Json::array({std::move(run)})}};
  return sarif.dump(1) + "\n";
}

}  // namespace gatekeeper::report
