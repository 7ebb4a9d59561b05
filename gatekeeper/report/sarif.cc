#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_format.h"
#include "agent/trust/hash.h"
#include "gatekeeper/report/text.h"
#include "nlohmann/json.hpp"

// SARIF 2.1.0 as code scanning takes it: at most 5,000 results are shown and 10 MB (packed) are
// read, and a file in which one result has no place is refused whole. What happened in a recording
// stands at its scenario's file, with the second in the message; what is said of a whole gate
// stands at the suite.

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

// Where what has no place of its own stands.
std::string SuiteFile(const v1::GateReport& report) {
  return report.plan().suite_path().empty() ? report.suite_id() : report.plan().suite_path();
}

class Results {
 public:
  Results(const v1::GateReport& report, const Place& place)
      : suite_(SourceUri(SuiteFile(report), place)), place_(place) {
    for (const v1::InputRef& input : report.inputs()) files_[input.id()] = input.file();
  }

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
  static Json At(const std::string& uri, uint32_t line) {
    return {{"physicalLocation",
             {{"artifactLocation", {{"uri", uri}}}, {"region", {{"startLine", line}}}}}};
  }

  Json Where(const v1::Finding& finding) const {
    std::string file = finding.file();
    const auto scenario = files_.find(finding.scenario());
    if (file.empty() && scenario != files_.end()) file = scenario->second;
    Json where =
        At(file.empty() ? suite_ : SourceUri(file, place_), std::max<uint32_t>(finding.line(), 1));
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
                        {"locations", Json::array({Where(finding)})}});
  }

  const std::string suite_;
  const Place& place_;
  std::map<std::string, std::string> files_;  // of scenarios, by id
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
  const Json sarif = {
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
      {"version", "2.1.0"},
      {"runs", Json::array({{{"tool", {{"driver", {{"name", "gatekeeper"}, {"rules", rules}}}}},
                             {"automationDetails", {{"id", "gates/" + report.suite_id() + "/"}}},
                             {"properties",
                              {{"unit", report.unit_name() + "@" + report.unit_version()},
                               {"unit_sha256", report.unit_digest()},
                               {"suite_sha256", report.suite_sha256()},
                               {"outcome", OutcomeName(report.outcome())}}},
                             {"results", results.Take()}}})}};
  return sarif.dump(1) + "\n";
}

}  // namespace gatekeeper::report
