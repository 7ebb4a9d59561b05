#include "gatekeeper/gates/suite.h"

#include <cmath>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/trust/hash.h"

namespace gatekeeper::gates {
namespace {

constexpr size_t kMaxSuiteBytes = 256 * 1024;

constexpr double kTiny = 1e-12;  // "above 0"
constexpr double kHuge = 1e9;
constexpr double kBelow1 = 0.999999;
constexpr double kMaxMs = 600'000;
constexpr double kMostFloor = 0.9999;  // 29956 cuts at alpha 0.05

// One number of the suite and where it may lie, both ends included. What precedes the first '.' is
// its section; without it the number is not looked at.
struct Range {
  std::string path;
  double value;
  double low;
  double high;
  const char* wanted;
};

std::vector<Range> DemandedRanges(const v1::GateSuite& s) {
  return {
      {"alpha", s.alpha(), kTiny, 0.5, "above 0 and at most 0.5"},
      {"agreement.vx_tolerance_mps", s.agreement().vx_tolerance_mps(), 0, 100, "0 to 100"},
      {"agreement.wz_tolerance_radps", s.agreement().wz_tolerance_radps(), 0, 100, "0 to 100"},
      {"agreement.joint_tolerance_rad", s.agreement().joint_tolerance_rad(), 0, 100, "0 to 100"},
      {"agreement.clip_pass_fraction", s.agreement().clip_pass_fraction(), kTiny, 1,
       "above 0 and at most 1"},
      {"envelope.min_clearance_m", s.envelope().min_clearance_m(), 0, 1000, "0 to 1000"},
      {"raw_vs_enforced.max_clamp_fraction", s.raw_vs_enforced().max_clamp_fraction(), kTiny, 0.999,
       "above 0 and at most 0.999 (no number of recordings shows a share of 0; 299 without a clamp "
       "show 0.01 at alpha 0.05, and 29 show 0.1)"},
      {"worst_segment.floor", s.worst_segment().floor(), kTiny, kBelow1, "above 0 and below 1"},
      {"worst_segment.min_clips", static_cast<double>(s.worst_segment().min_clips()), 1, kHuge,
       "at least 1"},
      {"latency.deadline_ms", s.latency().deadline_ms(), kTiny, 60'000, "above 0, at most 60000"},
      {"latency.quantile", s.latency().quantile(), 0.5, 0.9999, "0.5 to 0.9999"},
      {"latency.confidence", s.latency().confidence(), 0.5, 0.9999, "0.5 to 0.9999"},
      {"faults.detect_within_ms", s.faults().detect_within_ms(), kTiny, kMaxMs,
       "above 0, at most 600000"},
      {"faults.safe_within_ms", s.faults().safe_within_ms(), kTiny, kMaxMs,
       "above 0, at most 600000"},
      {"faults.clips", static_cast<double>(s.faults().clips()), 1, kHuge, "at least 1"},
      {"faults.network_floor", s.faults().network_floor(), 0, kMostFloor, "0 to 0.9999"},
      {"determinism.runs", static_cast<double>(s.determinism().runs()), 2, 100, "2 to 100"},
  };
}

std::vector<Range> OptionalRanges(const v1::GateSuite& s) {
  return {
      {"non_inferiority.delta", s.non_inferiority().delta(), kTiny, 0.5, "above 0 and at most 0.5"},
      {"horizon.max_deviation_m", s.horizon().max_deviation_m(), kTiny, 100,
       "above 0 and at most 100"},
      {"horizon.max_deviation_deg", s.horizon().max_deviation_deg(), kTiny, 180,
       "above 0 and at most 180"},
      {"horizon.min_median_s", s.horizon().min_median_s(), kTiny, 86'400,
       "above 0 and at most 86400"},
      {"closed_loop.runs", static_cast<double>(s.closed_loop().runs()), 1, kHuge, "at least 1"},
      {"closed_loop.max_pose_error_m", s.closed_loop().max_pose_error_m(), kTiny, 10,
       "above 0 and at most 10"},
      {"closed_loop.max_range_error_m", s.closed_loop().max_range_error_m(), kTiny, 10,
       "above 0 and at most 10"},
      {"closed_loop.max_collision_rate", s.closed_loop().max_collision_rate(), kTiny, kBelow1,
       "above 0 and below 1"},
      {"closed_loop.min_goal_rate", s.closed_loop().min_goal_rate(), kTiny, kBelow1,
       "above 0 and below 1"},
      {"closed_loop.goal_within_m", s.closed_loop().goal_within_m(), kTiny, 10,
       "above 0 and at most 10"},
      {"closed_loop.max_far_off", s.closed_loop().max_far_off(), 0, 0.999, "0 to 0.999"},
      {"fault_matrix.clips", static_cast<double>(s.fault_matrix().clips()), 1, kHuge, "at least 1"},
      {"fault_matrix.detect_within_ms", s.fault_matrix().detect_within_ms(), kTiny, kMaxMs,
       "above 0, at most 600000"},
      {"fault_matrix.safe_within_ms", s.fault_matrix().safe_within_ms(), kTiny, kMaxMs,
       "above 0, at most 600000"},
      {"separation.stop_within_s", s.separation().stop_within_s(), kTiny, 60,
       "above 0 and at most 60"},
      {"separation.hold_share", s.separation().hold_share(), kTiny, 1, "above 0 and at most 1"},
      {"separation.resume_within_s", s.separation().resume_within_s(), kTiny, 60,
       "above 0 and at most 60"},
      {"separation.false_stop_share", s.separation().false_stop_share(), 0, 0.999, "0 to 0.999"},
      {"separation.encounters", static_cast<double>(s.separation().encounters()), 1, kHuge,
       "at least 1"},
      {"coverage.min_hours", s.coverage().min_hours(), 0, 1e6, "0 to 1000000"},
      {"coverage.trigger_clips", static_cast<double>(s.coverage().trigger_clips()), 1, kHuge,
       "at least 1"},
      {"corruption.clips", static_cast<double>(s.corruption().clips()), 1, kHuge, "at least 1"},
      {"corruption.floor_at_3", s.corruption().floor_at_3(), kTiny, kBelow1, "above 0 and below 1"},
      {"corruption.max_silent_wrong", s.corruption().max_silent_wrong(), kTiny, kBelow1,
       "above 0 and below 1"},
      {"metamorphic.mirror_tolerance", s.metamorphic().mirror_tolerance(), kTiny, 1000,
       "above 0 and at most 1000"},
      {"metamorphic.brightness_tolerance", s.metamorphic().brightness_tolerance(), kTiny, 1000,
       "above 0 and at most 1000"},
      {"metamorphic.max_soft_violations", s.metamorphic().max_soft_violations(), kTiny, kBelow1,
       "above 0 and below 1"},
      {"metamorphic.clips", static_cast<double>(s.metamorphic().clips()), 1, kHuge, "at least 1"},
      {"uncertainty.max_risk", s.uncertainty().max_risk(), kTiny, kBelow1, "above 0 and below 1"},
      {"uncertainty.min_auroc", s.uncertainty().min_auroc(), 0.5, 1, "0.5 to 1"},
      {"uncertainty.max_ece", s.uncertainty().max_ece(), kTiny, kBelow1, "above 0 and below 1"},
      {"fallback_chain.clips", static_cast<double>(s.fallback_chain().clips()), 1, kHuge,
       "at least 1"},
      {"fallback_chain.safe_within_ms", s.fallback_chain().safe_within_ms(), kTiny, kMaxMs,
       "above 0, at most 600000"},
  };
}

// Every element of the fault matrix's two lists.
std::vector<Range> ListedRanges(const v1::GateSuite& s) {
  std::vector<Range> ranges = {
      {"fault_matrix.onsets", static_cast<double>(s.fault_matrix().onsets_size()), 1, 20,
       "a list of 1 to 20 shares of the clip"},
      {"fault_matrix.durations_s", static_cast<double>(s.fault_matrix().durations_s_size()), 1, 20,
       "a list of 1 to 20 durations"}};
  for (int i = 0; i < s.fault_matrix().onsets_size(); ++i) {
    ranges.push_back({absl::StrFormat("fault_matrix.onsets[%d]", i), s.fault_matrix().onsets(i), 0,
                      kBelow1, "0 or more and below 1, a share of the clip"});
  }
  for (int i = 0; i < s.fault_matrix().durations_s_size(); ++i) {
    ranges.push_back({absl::StrFormat("fault_matrix.durations_s[%d]", i),
                      s.fault_matrix().durations_s(i), kTiny, 600, "above 0 and at most 600"});
  }
  return ranges;
}

struct Section {
  const char* name;
  bool there;
  bool demanded;
};

std::vector<Section> Sections(const v1::GateSuite& s) {
  return {
      {"agreement", s.has_agreement(), true},
      {"envelope", s.has_envelope(), true},
      {"raw_vs_enforced", s.has_raw_vs_enforced(), true},
      {"worst_segment", s.has_worst_segment(), true},
      {"latency", s.has_latency(), true},
      {"faults", s.has_faults(), true},
      {"determinism", s.has_determinism(), true},
      {"non_inferiority", s.has_non_inferiority(), false},
      {"horizon", s.has_horizon(), false},
      {"closed_loop", s.has_closed_loop(), false},
      {"fault_matrix", s.has_fault_matrix(), false},
      {"separation", s.has_separation(), false},
      {"coverage", s.has_coverage(), false},
      {"corruption", s.has_corruption(), false},
      {"metamorphic", s.has_metamorphic(), false},
      {"uncertainty", s.has_uncertainty(), false},
      {"leakage", s.has_leakage(), false},
      {"regression", s.has_regression(), false},
      {"fallback_chain", s.has_fallback_chain(), false},
  };
}

absl::Status CheckSections(const v1::GateSuite& suite, const agent::base::SourceMap& map) {
  for (const Section& section : Sections(suite)) {
    if (section.there || !section.demanded) continue;
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: section %s is missing: every suite needs its thresholds",
                        map.Locate(""), section.name));
  }
  return absl::OkStatus();
}

absl::Status CheckRanges(const v1::GateSuite& suite, const agent::base::SourceMap& map) {
  std::set<std::string> absent;
  for (const Section& section : Sections(suite)) {
    if (!section.there) absent.insert(section.name);
  }
  for (const auto& ranges : {DemandedRanges(suite), OptionalRanges(suite), ListedRanges(suite)}) {
    for (const Range& range : ranges) {
      if (absent.count(range.path.substr(0, range.path.find('.'))) > 0) continue;
      if (std::isfinite(range.value) && range.value >= range.low && range.value <= range.high)
        continue;
      return absl::InvalidArgumentError(absl::StrFormat("%s: %s must be %s, found %g",
                                                        map.Locate(range.path), range.path,
                                                        range.wanted, range.value));
    }
  }
  return absl::OkStatus();
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

// Every value of a dimension once; a tag that stood in two dimensions would pair with itself.
absl::Status CheckDimensions(const v1::GateSuite& suite, const agent::base::SourceMap& map) {
  if (!suite.has_coverage()) return absl::OkStatus();
  if (suite.coverage().dimensions().empty()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: coverage.dimensions is empty: name the conditions that the robots are meant for",
        map.Locate("coverage")));
  }
  std::set<std::string> seen;
  for (int i = 0; i < suite.coverage().dimensions_size(); ++i) {
    const v1::CoverageDimension& dimension = suite.coverage().dimensions(i);
    const std::string path = absl::StrFormat("coverage.dimensions[%d]", i);
    if (dimension.id().empty() || dimension.tags().empty()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: %s must have an id and tags", map.Locate(path), path));
    }
    for (const std::string& tag : dimension.tags()) {
      if (!tag.empty() && seen.insert(tag).second) continue;
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: %s.tags holds \"%s\", which is empty or stands in another place too",
                          map.Locate(path), path, tag));
    }
  }
  return absl::OkStatus();
}

// What the suite names lies beside it, or elsewhere in the same repository.
absl::Status CheckPaths(const v1::GateSuite& suite, const agent::base::SourceMap& map) {
  const std::tuple<const char*, bool, const std::string&> paths[] = {
      {"site", !suite.site().empty(), suite.site()},
      {"scenarios", !suite.scenarios().empty(), suite.scenarios()},
      {"leakage.training_digests", suite.has_leakage(), suite.leakage().training_digests()},
      {"closed_loop.map", !suite.closed_loop().map().empty(), suite.closed_loop().map()},
      {"regression.corpus", suite.has_regression(), suite.regression().corpus()}};
  for (const auto& [path, there, value] : paths) {
    if (!there) continue;
    if (!value.empty() && value.size() <= 1024 && value.front() != '/' &&
        value.find('\0') == std::string::npos) {
      continue;
    }
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: %s must be a path relative to the suite", map.Locate(path), path));
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
  RETURN_IF_ERROR(CheckSections(suite.document, map));
  RETURN_IF_ERROR(CheckRanges(suite.document, map));
  RETURN_IF_ERROR(CheckTags(suite.document, map));
  RETURN_IF_ERROR(CheckDimensions(suite.document, map));
  RETURN_IF_ERROR(CheckPaths(suite.document, map));
  suite.sha256 = agent::trust::Sha256(yaml);
  return suite;
}

}  // namespace gatekeeper::gates
