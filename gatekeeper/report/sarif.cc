#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_format.h"
#include "agent/trust/hash.h"
#include "gatekeeper/report/text.h"
#include "nlohmann/json.hpp"

// SARIF 2.1.0 as code scanning takes it: at most 5,000 results are shown and 10 MB (packed) are
// read, and a result needs a place in a file. What happened in a recording stands at its scenario's
// file, with the second in the message.

namespace gatekeeper::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxResults = 5000;  // with kMaxMessage below 10 MB even unpacked

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

Json Place(const v1::Finding& finding, const std::map<std::string, std::string>& files) {
  std::string file = finding.file();
  if (file.empty()) {
    const auto scenario = files.find(finding.scenario());
    if (scenario != files.end()) file = scenario->second;
  }
  if (file.empty()) return nullptr;
  Json place = {{"physicalLocation",
                 {{"artifactLocation", {{"uri", file}}},
                  {"region", {{"startLine", std::max<uint32_t>(finding.line(), 1)}}}}}};
  if (!finding.scenario().empty()) {
    place["logicalLocations"] =
        Json::array({{{"fullyQualifiedName",
                       absl::StrFormat("%s at %.2f s", finding.scenario(), finding.at_s())}}});
  }
  return place;
}

Json Result(const v1::GateResult& gate, const v1::Finding& finding,
            const std::map<std::string, std::string>& files) {
  Json result = {{"ruleId", gate.id()},
                 {"level", Level(gate)},
                 {"message", {{"text", Shortened(FindingText(finding), kMaxMessage)}}},
                 {"partialFingerprints", {{"gatekeeper/v1", Fingerprint(gate, finding)}}}};
  const Json place = Place(finding, files);
  if (!place.is_null()) result["locations"] = Json::array({place});
  return result;
}

// A gate that does not hold always has a result, be it without findings.
void AddResults(const v1::GateResult& gate, const std::map<std::string, std::string>& files,
                Json& results) {
  if (gate.outcome() == v1::PASS) return;
  v1::Finding whole;
  whole.set_message(gate.summary());
  results.push_back(Result(gate, whole, files));
  for (const v1::Finding& finding : gate.findings()) {
    if (results.size() >= kMaxResults) return;
    results.push_back(Result(gate, finding, files));
  }
}

}  // namespace

std::string SarifReport(const v1::GateReport& report) {
  std::map<std::string, std::string> files;
  for (const v1::InputRef& input : report.inputs()) files[input.id()] = input.file();
  Json rules = Json::array();
  Json results = Json::array();
  for (const v1::GateResult& gate : report.gates()) {
    rules.push_back({{"id", gate.id()}, {"shortDescription", {{"text", "gate " + gate.id()}}}});
  }
  for (const v1::GateResult* gate : WorstFirst(report)) AddResults(*gate, files, results);
  const size_t found = results.size();
  for (size_t i = kMaxResults; i < found; ++i) results.erase(results.size() - 1);
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
                             {"results", results}}})}};
  return sarif.dump(1) + "\n";
}

}  // namespace gatekeeper::report
