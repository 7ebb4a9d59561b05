#include "gatekeeper/gates/suite.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/trust/hash.h"

namespace gatekeeper::gates {
namespace {

constexpr size_t kMaxSuiteBytes = 256 * 1024;

// One number of the suite and where it may lie. Ends are included unless said.
struct Range {
  const char* path;
  double value;
  double low;
  double high;
  const char* wanted;
};

std::vector<Range> Ranges(const v1::GateSuite& s) {
  constexpr double kTiny = 1e-12;  // "above 0"
  constexpr double kHuge = 1e9;
  return {
      {"alpha", s.alpha(), kTiny, 0.5, "above 0 and at most 0.5"},
      {"agreement.vx_tolerance_mps", s.agreement().vx_tolerance_mps(), 0, 100, "0 to 100"},
      {"agreement.wz_tolerance_radps", s.agreement().wz_tolerance_radps(), 0, 100, "0 to 100"},
      {"agreement.joint_tolerance_rad", s.agreement().joint_tolerance_rad(), 0, 100, "0 to 100"},
      {"agreement.clip_pass_fraction", s.agreement().clip_pass_fraction(), kTiny, 1,
       "above 0 and at most 1"},
      {"envelope.min_clearance_m", s.envelope().min_clearance_m(), 0, 1000, "0 to 1000"},
      {"raw_vs_enforced.max_clamp_fraction", s.raw_vs_enforced().max_clamp_fraction(), 0, 0.999,
       "0 to 0.999"},
      {"worst_segment.floor", s.worst_segment().floor(), kTiny, 0.999999, "above 0 and below 1"},
      {"worst_segment.min_clips", static_cast<double>(s.worst_segment().min_clips()), 1, kHuge,
       "at least 1"},
      {"latency.deadline_ms", s.latency().deadline_ms(), kTiny, 60'000, "above 0, at most 60000"},
      {"latency.quantile", s.latency().quantile(), 0.5, 0.9999, "0.5 to 0.9999"},
      {"latency.confidence", s.latency().confidence(), 0.5, 0.9999, "0.5 to 0.9999"},
      {"faults.detect_within_ms", s.faults().detect_within_ms(), kTiny, 600'000,
       "above 0, at most 600000"},
      {"faults.safe_within_ms", s.faults().safe_within_ms(), kTiny, 600'000,
       "above 0, at most 600000"},
      {"faults.clips", static_cast<double>(s.faults().clips()), 1, kHuge, "at least 1"},
      {"determinism.runs", static_cast<double>(s.determinism().runs()), 2, 100, "2 to 100"},
  };
}

std::vector<const char*> MissingSections(const v1::GateSuite& s) {
  std::vector<const char*> missing;
  const auto want = [&](bool there, const char* section) {
    if (!there) missing.push_back(section);
  };
  want(s.has_agreement(), "agreement");
  want(s.has_envelope(), "envelope");
  want(s.has_raw_vs_enforced(), "raw_vs_enforced");
  want(s.has_worst_segment(), "worst_segment");
  want(s.has_latency(), "latency");
  want(s.has_faults(), "faults");
  want(s.has_determinism(), "determinism");
  return missing;
}

absl::Status CheckTags(const v1::GateSuite& suite, const agent::base::SourceMap& map) {
  const auto& tags = suite.worst_segment().tags();
  if (tags.empty()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: worst_segment.tags is empty: name the segments that must each hold",
                        map.Locate("worst_segment")));
  }
  for (int i = 0; i < tags.size(); ++i) {
    for (int j = 0; j < i; ++j) {
      if (tags[i] == tags[j]) {
        return absl::InvalidArgumentError(
            absl::StrFormat("%s: worst_segment.tags names \"%s\" twice",
                            map.Locate(absl::StrFormat("worst_segment.tags[%d]", i)), tags[i]));
      }
    }
    if (tags[i].empty()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: worst_segment.tags holds an empty name",
                          map.Locate(absl::StrFormat("worst_segment.tags[%d]", i))));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Suite> ParseSuite(std::string_view yaml, const std::string& file) {
  if (yaml.size() > kMaxSuiteBytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: a suite has at most %d bytes, this file %d", file, kMaxSuiteBytes, yaml.size()));
  }
  Suite suite;
  ASSIGN_OR_RETURN(const agent::base::SourceMap map,
                   agent::base::ReadYaml(yaml, file, "gate_suite/1", suite.document));
  if (suite.document.id().empty()) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: id is missing", map.Locate("")));
  }
  for (const char* section : MissingSections(suite.document)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: section %s is missing: every gate needs its thresholds", map.Locate(""), section));
  }
  for (const Range& range : Ranges(suite.document)) {
    if (std::isfinite(range.value) && range.value >= range.low && range.value <= range.high)
      continue;
    return absl::InvalidArgumentError(absl::StrFormat("%s: %s must be %s, found %g",
                                                      map.Locate(range.path), range.path,
                                                      range.wanted, range.value));
  }
  RETURN_IF_ERROR(CheckTags(suite.document, map));
  suite.sha256 = agent::trust::Sha256(yaml);
  return suite;
}

}  // namespace gatekeeper::gates
