#include "gatekeeper/gates/leakage.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>

#include "absl/strings/str_format.h"
#include "agent/base/digest.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/digest_bytes.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"

// A model that was trained on a clip is not tested by it. Whoever trained it says on what; the
// policy repository keeps that list.

namespace gatekeeper::gates {
namespace {

constexpr std::string_view kDhash = " dhash:";
constexpr size_t kDhashHex = 16;

// Band `i` of a dhash: 13 bits, of the last one 12.
uint64_t Band(uint64_t dhash, size_t i) { return (dhash >> (13 * i)) & 0x1fff; }

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// "<64 hex>[ dhash:<16 hex>]"; nothing for anything else.
struct Line {
  std::string content;
  std::optional<uint64_t> dhash;
};
std::optional<Line> ParseLine(std::string_view text) {
  Line line;
  line.content = std::string(text.substr(0, kHex));
  if (line.content.size() != kHex || !IsHex(line.content)) return std::nullopt;
  text.remove_prefix(kHex);
  if (text.empty()) return line;
  if (text.size() != kDhash.size() + kDhashHex || text.substr(0, kDhash.size()) != kDhash ||
      !IsHex(text.substr(kDhash.size()))) {
    return std::nullopt;
  }
  uint64_t value = 0;
  for (const char c : text.substr(kDhash.size())) {
    value = (value << 4) | static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  line.dhash = value;
  return line;
}

// A comment and the space before it are no part of a line.
std::string_view WithoutComment(std::string_view text) {
  text = text.substr(0, text.find('#'));
  const size_t last = text.find_last_not_of(" \t\r");
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

v1::Finding At(const Scenario& scenario, double at_s, const std::string& message) {
  v1::Finding finding;
  finding.set_scenario(scenario.document.id());
  finding.set_at_s(at_s);
  finding.set_segment(TagsAt(scenario.document, at_s));
  finding.set_message(message);
  return finding;
}

// One clip against the set.
absl::Status CheckClip(const Scenario& scenario, const TrainingSet& training, LeakageCheck& check) {
  const auto& channels = scenario.document.channels();
  std::optional<int64_t> first_ns;
  std::optional<v1::Finding> known;
  std::optional<v1::Finding> near;
  RETURN_IF_ERROR(ForEachFingerprint(
      scenario.recording, agent::recording::ChannelMap(channels.begin(), channels.end()),
      [&](const Fingerprint& fingerprint, int64_t at_ns, const char* what) {
        if (!first_ns) first_ns = at_ns;
        const double at_s = static_cast<double>(at_ns - *first_ns) * 1e-9;
        ++check.samples;
        if (training.Holds(fingerprint)) {
          ++check.known;
          if (!known) {
            known = At(scenario, at_s, absl::StrFormat("this %s is a training sample", what));
          }
          return absl::OkStatus();
        }
        const int bits = fingerprint.dhash ? training.Nearest(*fingerprint.dhash) : -1;
        if (bits < 0) return absl::OkStatus();
        ++check.near;
        if (!near) {
          near = At(scenario, at_s,
                    absl::StrFormat("this image differs from a training image in %d of 64 bits of "
                                    "its dhash",
                                    bits));
        }
        return absl::OkStatus();
      }));
  if (known) check.findings.push_back(*known);
  if (near) check.findings.push_back(*near);
  return absl::OkStatus();
}

// Who was trained on one clip of a drive has seen the floor, light and day of the others.
void BlameDrives(const std::vector<Scenario>& scenarios, const std::vector<bool>& clean,
                 const std::map<std::string, std::string>& trained_on, LeakageCheck& check) {
  for (size_t i = 0; i < scenarios.size(); ++i) {
    const auto leaked = trained_on.find(RecordingOf(scenarios[i].document));
    if (!clean[i] || leaked == trained_on.end()) continue;
    check.findings.push_back(
        At(scenarios[i], 0,
           "cut from the same drive as " + leaked->second + ", which the model was trained on"));
  }
}

}  // namespace

absl::StatusOr<TrainingSet> TrainingSet::Parse(const bundle::Document& list) {
  TrainingSet set;
  const std::string_view text = list.text;
  int number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view row = WithoutComment(text.substr(at, end - at));
    at = end + 1;
    ++number;
    if (row.empty()) continue;
    const auto line = ParseLine(row);
    if (!line) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s:%d: a training sample is 64 hex digits, or these, a space and dhash: "
                          "with 16 hex digits, as gatekeeper gate fingerprint prints them",
                          list.file, number));
    }
    set.contents_.insert(line->content);
    if (!line->dhash) continue;
    const auto index = static_cast<uint32_t>(set.dhashes_.size());
    set.dhashes_.push_back(*line->dhash);
    for (size_t i = 0; i < kBands; ++i) set.bands_[i][Band(*line->dhash, i)].push_back(index);
  }
  return set;
}

bool TrainingSet::Holds(const Fingerprint& fingerprint) const {
  return contents_.count(fingerprint.content.hex()) > 0;
}

int TrainingSet::Nearest(uint64_t dhash) const {
  int least = kNearBits + 1;
  for (size_t i = 0; i < kBands; ++i) {
    const auto band = bands_[i].find(Band(dhash, i));
    if (band == bands_[i].end()) continue;
    for (const uint32_t index : band->second) {
      least = std::min(least, std::popcount(dhash ^ dhashes_[index]));
    }
  }
  return least <= kNearBits ? least : -1;
}

absl::StatusOr<LeakageCheck> CheckLeakage(const bundle::Document& list,
                                          const std::vector<Scenario>& scenarios,
                                          const std::vector<bool>& intact) {
  ASSIGN_OR_RETURN(const TrainingSet training, TrainingSet::Parse(list));
  LeakageCheck check;
  check.training_samples = training.size();
  std::map<std::string, std::string> trained_on;  // by recording, the first of its clips
  std::vector<bool> clean(scenarios.size(), false);
  for (size_t i = 0; i < scenarios.size(); ++i) {
    if (!intact[i]) continue;  // the integrity gate says so
    const size_t known = check.known;
    const absl::Status read = CheckClip(scenarios[i], training, check);
    clean[i] = check.known == known;
    if (!clean[i])
      trained_on.try_emplace(RecordingOf(scenarios[i].document), scenarios[i].document.id());
    // What cannot be read is no evidence of anything; the recordings gate tells it.
    if (!read.ok()) check.findings.push_back(At(scenarios[i], 0, std::string(read.message())));
  }
  BlameDrives(scenarios, clean, trained_on, check);
  SortByScenario(check.findings);
  return check;
}

void SortByScenario(std::vector<v1::Finding>& findings) {
  std::stable_sort(
      findings.begin(), findings.end(),
      [](const v1::Finding& a, const v1::Finding& b) { return a.scenario() < b.scenario(); });
}

v1::GateResult JudgeLeakage(const Evidence& evidence) {
  v1::GateResult result;
  const LeakageCheck& check = *evidence.leakage;
  const uint32_t limit = evidence.suite.leakage().max_near_duplicates();
  for (const v1::Finding& finding : check.findings) *result.add_findings() = finding;
  // Of what the model was trained on nothing is allowed; of what resembles it, so much.
  DecideByCount({.n = check.samples,
                 .wrong = check.known > 0 ? check.known : check.near,
                 .allowed = check.known > 0 ? 0 : limit},
                result);
  if (check.known > 0 || check.near > limit) {
    result.set_outcome(v1::FAIL);
  } else if (check.samples == 0 || check.training_samples == 0) {
    result.set_outcome(v1::INSUFFICIENT);
    result.set_summary(check.samples == 0 ? "no clip holds a scan or image to be recognised"
                                          : "the list of training samples is empty");
    return result;
  } else {
    result.set_outcome(v1::PASS);
  }
  result.set_summary(absl::StrFormat(
      "of %d scans and images %d are among the %d training samples, %d are near duplicates of one, "
      "limit %d",
      check.samples, check.known, check.training_samples, check.near, limit));
  return result;
}

}  // namespace gatekeeper::gates
