#include "gatekeeper/gates/waiver.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "agent/base/nearest_name.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/gate.h"

namespace gatekeeper::gates {
namespace {

constexpr std::string_view kNeverWaived[] = {"integrity", "static_policy", "envelope",
                                             "determinism"};
constexpr size_t kMaxText = 2000;

absl::Status Refuse(const agent::base::SourceMap& map, const char* key, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrFormat("%s: %s: %s", map.Locate(key), key, why));
}

bool IsGate(const std::string& id) {
  const auto gates = AllGates();
  return std::any_of(gates.begin(), gates.end(), [&](const Gate& gate) { return gate.id == id; });
}

std::string GateNames() {
  std::string names;
  for (const Gate& gate : AllGates()) names += (names.empty() ? "" : ", ") + std::string(gate.id);
  return names;
}

// "2026-02-30" is no day.
bool IsDay(const std::string& text) {
  int year = 0, month = 0, day = 0, end = 0;
  if (text.size() != 10 || text.find_first_not_of("0123456789-") != std::string::npos ||
      std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &end) != 3 || end != 10) {
    return false;
  }
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (year < 2000 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return day <= kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

std::string UtcDay(int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm utc{};
  if (gmtime_r(&seconds, &utc) == nullptr) return "9999-12-31";
  return absl::StrFormat("%04d-%02d-%02d", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

// As a person reads names: neither case nor spaces make somebody else.
std::string Person(const std::string& name) {
  std::string plain;
  for (const char c : name) {
    if (!absl::ascii_isspace(static_cast<unsigned char>(c))) plain += c;
  }
  return absl::AsciiStrToLower(plain);
}

absl::Status Check(const v1::Waiver& waiver, const agent::base::SourceMap& map) {
  if (!IsGate(waiver.gate())) {
    return Refuse(
        map, "gate",
        absl::StrFormat("there is no gate '%s'; the gates are %s", waiver.gate(), GateNames()));
  }
  if (std::find(std::begin(kNeverWaived), std::end(kNeverWaived), waiver.gate()) !=
      std::end(kNeverWaived)) {
    return Refuse(map, "gate", absl::StrFormat("%s is never waived", waiver.gate()));
  }
  const size_t at = waiver.unit().find('@');
  if (at == std::string::npos || at == 0 || at + 1 == waiver.unit().size()) {
    return Refuse(map, "unit", "must be one unit's name@version");
  }
  if (Person(waiver.reason()).empty() || waiver.reason().size() > kMaxText) {
    return Refuse(map, "reason", absl::StrFormat("must be given, in at most %d bytes", kMaxText));
  }
  if (!IsDay(waiver.expires())) {
    return Refuse(map, "expires", "must be the last day it holds, YYYY-MM-DD");
  }
  if (Person(waiver.requested_by()).empty())
    return Refuse(map, "requested_by", "must name a person");
  if (Person(waiver.approved_by()).empty()) return Refuse(map, "approved_by", "must name a person");
  if (Person(waiver.requested_by()) == Person(waiver.approved_by())) {
    return Refuse(
        map, "approved_by",
        absl::StrFormat("must be somebody else than %s, who asks for it", waiver.requested_by()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Waiver>> ParseWaivers(const std::vector<bundle::Document>& documents) {
  std::vector<Waiver> waivers;
  for (const bundle::Document& document : documents) {
    Waiver waiver{
        .document = {}, .file = document.file, .sha256 = agent::trust::Sha256(document.text).hex()};
    ASSIGN_OR_RETURN(
        const agent::base::SourceMap map,
        agent::base::ReadYaml(document.text, document.file, "waiver/1", waiver.document));
    RETURN_IF_ERROR(Check(waiver.document, map));
    waivers.push_back(std::move(waiver));
  }
  return waivers;
}

std::vector<Waiver> ApplyWaivers(const std::vector<Waiver>& waivers, const std::string& unit,
                                 int64_t wall_ms, std::vector<v1::GateResult>& results) {
  const std::string today = UtcDay(wall_ms);
  std::vector<Waiver> used;
  for (v1::GateResult& result : results) {
    if (result.outcome() == v1::PASS) continue;
    for (const Waiver& waiver : waivers) {
      if (waiver.document.gate() != result.id() || waiver.document.unit() != unit) continue;
      if (waiver.document.expires() < today) {
        v1::Finding& finding = *result.add_findings();
        finding.set_file(waiver.file);
        finding.set_message(
            absl::StrFormat("the waiver by %s and %s ran out on %s", waiver.document.requested_by(),
                            waiver.document.approved_by(), waiver.document.expires()));
        continue;
      }
      result.set_waived(true);
      used.push_back(waiver);
      break;  // one answers for it
    }
  }
  return used;
}

}  // namespace gatekeeper::gates
