#include "gatekeeper/bundle/static_checks.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/runtime/binding.h"
#include "agent/runtime/fallback.h"
#include "agent/runtime/policy.h"
#include "agent/runtime/rule_id.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/capability_checks.h"
#include "gatekeeper/bundle/envelope_checks.h"
#include "gatekeeper/bundle/site.h"
#include "gatekeeper/bundle/stopping_checks.h"

namespace gatekeeper::bundle {
namespace {

using agent::base::SourceMap;
using agent::runtime::RuleOf;

// "policy.yaml:12:3..." -> 12 and 3, as ReadYaml and SourceMap write them.
Diagnostic At(const std::string& located, const std::string& rule, const std::string& file,
              std::string message) {
  Diagnostic diagnostic{.rule = rule, .file = file, .message = std::move(message)};
  if (located.compare(0, file.size(), file) == 0) {
    std::sscanf(located.c_str() + file.size(), ":%d:%d", &diagnostic.line, &diagnostic.column);
  }
  return diagnostic;
}

// ReadYaml's own message already says file, line and column.
Diagnostic Unreadable(const std::string& file, const absl::Status& status) {
  const std::string text(status.message());
  const size_t space = text.find(' ', std::min(file.size(), text.size()));
  return At(text, "S1", file, space == std::string::npos ? text : text.substr(space + 1));
}

// "[limits.nominal.vx_max_mps] must be ..." -> the line of that key.
Diagnostic FromCompiler(const SourceMap& map, const absl::Status& status) {
  const std::string text(status.message());
  const size_t close = text.find("] ");
  if (text.empty() || text[0] != '[' || close == std::string::npos) {
    return {.rule = RuleOf(status), .file = map.file(), .message = text};
  }
  const std::string path = text.substr(1, close - 1);
  return At(map.Locate(path), RuleOf(status), map.file(), path + " " + text.substr(close + 2));
}

// A document that was read, and where its values stand.
template <class Message>
struct Source {
  Message message;
  SourceMap map{""};
};

class RuleChecks {
 public:
  explicit RuleChecks(const RuleSet& rules) : rules_(rules) {}

  std::vector<Diagnostic> Run() {
    ReadAll();
    if (!found_.empty()) return std::move(found_);
    CompileSite();
    if (!policy_) return std::move(found_);
    auto compiled = agent::runtime::Policy::Compile(policy_->message);
    if (!compiled.ok()) {
      found_.push_back(FromCompiler(policy_->map, compiled.status()));
      return std::move(found_);  // all others are judged against the compiled policy
    }
    CheckPolicyAlone(*compiled);
    if (fallback_) CheckFallback(*compiled);
    if (card_) CheckCard(*compiled);
    return std::move(found_);
  }

 private:
  template <class Message>
  void Read(const std::optional<Document>& document, const char* schema,
            std::optional<Source<Message>>& source) {
    if (!document) return;
    Source<Message> read;
    auto map = agent::base::ReadYaml(document->text, document->file, schema, read.message);
    if (!map.ok()) {
      found_.push_back(Unreadable(document->file, map.status()));
      return;
    }
    read.map = *std::move(map);
    source = std::move(read);
  }

  void ReadAll() {
    Read(rules_.card, "model_card/1", card_);
    Read(rules_.policy, "control_policy/1", policy_);
    Read(rules_.fallback, "fallback_rules/1", fallback_);
    Read(rules_.site, "site/1", site_document_);
  }

  void CompileSite() {
    if (!site_document_) return;
    auto site = Site::Compile(site_document_->message);
    if (site.ok()) {
      site_ = *std::move(site);
    } else {
      found_.push_back(FromCompiler(site_document_->map, site.status()));
    }
  }

  void Append(const SourceMap& map, const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
      found_.push_back(At(map.Locate(finding.path), finding.rule, map.file(),
                          finding.path + " " + finding.message));
    }
  }

  void CheckPolicyAlone(const agent::runtime::Policy& compiled) {
    const v1::ControlPolicy& policy = policy_->message;
    Append(policy_->map, CheckGround(policy));
    Append(policy_->map, CheckPeriod(policy));
    std::vector<const v1::Capability*> robots;
    if (site_) {
      Append(policy_->map, CheckGeofence(policy, *site_));
      Append(policy_->map, CheckPoses(compiled, *site_));
      Append(policy_->map, CheckCapability(policy, *site_, rules_.hardware));
      robots = RobotsFor(policy, *site_, rules_.hardware);
    }
    Append(policy_->map, CheckStopping(policy, robots));
  }

  void CheckFallback(const agent::runtime::Policy& compiled) {
    const auto fallback = agent::runtime::Fallback::Compile(fallback_->message, compiled);
    if (!fallback.ok()) {
      found_.push_back(FromCompiler(fallback_->map, fallback.status()));
      return;
    }
    Append(policy_->map, CheckReaction(policy_->message, fallback_->message));
    if (!rules_.previous) return;
    Append(fallback_->map,
           CheckPrevious(fallback_->message, policy_->message, rules_.hardware, *rules_.previous));
  }

  void CheckCard(const agent::runtime::Policy& compiled) {
    const auto signature = agent::runtime::SignatureFor(card_->message, compiled);
    if (!signature.ok()) {
      found_.push_back(FromCompiler(card_->map, signature.status()));
      return;
    }
    const auto binding = agent::runtime::Binding::Compile(card_->message, compiled, *signature);
    if (!binding.ok()) found_.push_back(FromCompiler(card_->map, binding.status()));
  }

  const RuleSet& rules_;
  std::optional<Source<v1::ModelCard>> card_;
  std::optional<Source<v1::ControlPolicy>> policy_;
  std::optional<Source<v1::FallbackRules>> fallback_;
  std::optional<Source<v1::Site>> site_document_;
  std::optional<Site> site_;
  std::vector<Diagnostic> found_;
};

}  // namespace

std::string ToString(const Diagnostic& diagnostic) {
  return absl::StrFormat("%s:%d:%d: %s: %s", diagnostic.file, diagnostic.line, diagnostic.column,
                         diagnostic.rule, diagnostic.message);
}

std::vector<Diagnostic> CheckRules(const RuleSet& rules) { return RuleChecks(rules).Run(); }

absl::StatusOr<RuleSet> RulesOf(const UngatedUnit& unit) {
  RuleSet rules;
  for (const auto& [path, document] : {std::pair{agent::trust::kCardFile, &rules.card},
                                       {agent::trust::kPolicyFile, &rules.policy},
                                       {agent::trust::kFallbackFile, &rules.fallback}}) {
    ASSIGN_OR_RETURN(std::string text, unit.Read(path));
    *document = Document{path, std::move(text)};
  }
  rules.hardware.assign(unit.manifest().hardware().begin(), unit.manifest().hardware().end());
  return rules;
}

absl::StatusOr<PreviousUnit> PreviousOf(const std::string& label, const RuleSet& rules) {
  PreviousUnit previous{.label = label, .hardware = rules.hardware, .card = {}, .policy = {}};
  RETURN_IF_ERROR(agent::base::ReadYaml(rules.card->text, label + ":" + rules.card->file,
                                        "model_card/1", previous.card)
                      .status());
  RETURN_IF_ERROR(agent::base::ReadYaml(rules.policy->text, label + ":" + rules.policy->file,
                                        "control_policy/1", previous.policy)
                      .status());
  return previous;
}

absl::StatusOr<std::vector<Diagnostic>> CheckRules(const UngatedUnit& unit,
                                                   std::optional<Document> site) {
  ASSIGN_OR_RETURN(RuleSet rules, RulesOf(unit));
  rules.site = std::move(site);
  return CheckRules(rules);
}

absl::StatusOr<std::vector<Diagnostic>> CheckRules(const UngatedUnit& unit,
                                                   const UngatedUnit& deployed,
                                                   std::optional<Document> site) {
  ASSIGN_OR_RETURN(RuleSet rules, RulesOf(unit));
  rules.site = std::move(site);
  ASSIGN_OR_RETURN(const RuleSet theirs, RulesOf(deployed));
  ASSIGN_OR_RETURN(rules.previous, PreviousOf(deployed.label(), theirs));
  return CheckRules(rules);
}

}  // namespace gatekeeper::bundle
