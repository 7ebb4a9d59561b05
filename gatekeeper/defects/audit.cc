#include "gatekeeper/defects/audit.h"

#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/defects/document_defects.h"
#include "gatekeeper/defects/library_defects.h"
#include "gatekeeper/defects/mutant_unit.h"
#include "gatekeeper/gates/crew.h"
#include "gatekeeper/gates/suite.h"

namespace gatekeeper::defects {
namespace {

constexpr char kLibrary[] = "library";

Tally Count(const std::vector<Seeded>& seeded, bool rules, bool scenarios) {
  Tally tally;
  for (const Seeded& one : seeded) {
    if (!(one.in_rules ? rules : scenarios)) continue;
    if (one.fate == Fate::kKilled) ++tally.killed;
    if (one.fate == Fate::kSurvived) ++tally.survived;
    if (one.fate == Fate::kNotSeeded) ++tally.not_seeded;
  }
  return tally;
}

bool IsRefusal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) || absl::IsDataLoss(status);
}

Outcomes OutcomesOf(const v1::GateReport& report) {
  Outcomes outcomes;
  for (const v1::GateResult& gate : report.gates()) outcomes[gate.id()] = gate.outcome();
  return outcomes;
}

class Auditor {
 public:
  Auditor(const bundle::UngatedUnit& unit, const AuditInput& input, v1::GateSuite suite)
      : unit_(unit), input_(input), run_(input.suite), suite_(std::move(suite)) {
    run_.attempts = nullptr;
    run_.clips_folder.clear();
    run_.cache_folder = input.scratch + "/cache";
  }

  absl::StatusOr<Audit> Run() {
    audit_.unit = unit_.label();
    audit_.replays = input_.replays;
    if (!run_.against.empty()) {
      ASSIGN_OR_RETURN(deployed_, bundle::UngatedUnit::Open(run_.against));
      audit_.against = deployed_->label();
    }
    ASSIGN_OR_RETURN(audit_.unhurt, JudgeRules(unit_, deployed_, suite_, run_));
    ASSIGN_OR_RETURN(MutantLibrary library,
                     MutantLibrary::Copy(run_.scenarios_folder, input_.scratch + "/library"));
    run_.scenarios_folder = library.folder();
    if (input_.replays) {
      ASSIGN_OR_RETURN(const gates::GateRun run, gates::RunSuite(unit_, run_));
      audit_.unhurt = OutcomesOf(run.report);
    } else {
      ASSIGN_OR_RETURN(const Outcomes of_library, JudgeLibrary(suite_, run_));
      audit_.unhurt.insert(of_library.begin(), of_library.end());
    }
    ASSIGN_OR_RETURN(const gates::Documents documents, gates::ReadDocuments(unit_));
    RETURN_IF_ERROR(HurtRules(documents));
    RETURN_IF_ERROR(HurtLibrary(documents, library));
    return std::move(audit_);
  }

 private:
  absl::Status HurtRules(const gates::Documents& documents) {
    ASSIGN_OR_RETURN(DocumentDefects found, SeedDocuments(documents.policy, documents.fallback));
    audit_.harmless = found.harmless;
    audit_.equal = found.equal;
    ASSIGN_OR_RETURN(MutantUnit twin, MutantUnit::Copy(unit_, input_.scratch + "/unit"));
    AuditProgress progress{.in_rules = true, .of = found.defects.size()};
    Tell(progress);
    for (const DocumentDefect& defect : found.defects) {
      ASSIGN_OR_RETURN(const auto mutant, twin.With(defect.file, defect.yaml));
      Seeded seeded{.place = defect.file + ": " + defect.path,
                    .what = defect.what,
                    .before = defect.before,
                    .after = defect.after,
                    .unclear = defect.effect == bundle::Effect::kDifferent};
      auto outcomes = JudgeRules(mutant, deployed_, suite_, run_);
      RETURN_IF_ERROR(Judge(mutant, std::move(outcomes), seeded));
      Tell(seeded, progress);
      audit_.seeded.push_back(std::move(seeded));
    }
    return absl::OkStatus();
  }

  absl::Status HurtLibrary(const gates::Documents& documents, MutantLibrary& library) {
    ASSIGN_OR_RETURN(const std::vector<gates::Scenario> scenarios,
                     gates::LoadScenarios(run_.scenarios_folder, run_.recordings_folder));
    const std::vector<LibraryDefect> defects =
        SeedLibrary(scenarios, documents.policy, suite_, input_.clips, input_.scratch);
    AuditProgress progress{.in_rules = false, .of = defects.size()};
    Tell(progress);
    for (const LibraryDefect& defect : defects) {
      Seeded seeded{.in_rules = false,
                    .place = defect.scenario,
                    .what = defect.what,
                    .before = defect.before,
                    .after = defect.after};
      const auto changes = defect.make();
      const absl::Status applied = changes.ok() ? library.Apply(*changes) : changes.status();
      if (applied.ok()) {
        RETURN_IF_ERROR(Judge(unit_, JudgeLibrary(suite_, run_), seeded));
      } else {
        seeded.fate = Fate::kNotSeeded;
        seeded.reason = std::string(applied.message());
      }
      RETURN_IF_ERROR(library.Restore());
      Tell(seeded, progress);
      audit_.seeded.push_back(std::move(seeded));
    }
    return absl::OkStatus();
  }

  void Tell(const AuditProgress& progress) const {
    if (input_.tell) input_.tell(progress);
  }
  void Tell(const Seeded& seeded, AuditProgress& progress) const {
    ++progress.done;
    progress.killed += seeded.fate == Fate::kKilled ? 1 : 0;
    Tell(progress);
  }

  // First by what the gates without replays said, then by all of them.
  absl::Status Judge(const bundle::UngatedUnit& unit, absl::StatusOr<Outcomes> outcomes,
                     Seeded& seeded) {
    RETURN_IF_ERROR(Compare(outcomes, seeded));
    if (seeded.fate == Fate::kKilled || !input_.replays) return absl::OkStatus();
    seeded.replayed = true;
    gates::SuiteInput input = run_;
    // No other run is of this unit: what is kept would be of use to nobody but the deployed one.
    if (seeded.in_rules && !deployed_) input.cache_folder.clear();
    const auto run = gates::RunSuite(unit, input);
    if (!run.ok()) return Compare(run.status(), seeded);
    return Compare(OutcomesOf(run->report), seeded);
  }

  absl::Status Compare(const absl::StatusOr<Outcomes>& outcomes, Seeded& seeded) {
    if (outcomes.ok()) {
      seeded.killers = WorseGates(audit_.unhurt, *outcomes);
    } else if (IsRefusal(outcomes.status())) {
      seeded.killers = {kLibrary};
    } else {
      return outcomes.status();
    }
    if (!seeded.killers.empty()) seeded.fate = Fate::kKilled;
    return absl::OkStatus();
  }

  const bundle::UngatedUnit& unit_;
  const AuditInput& input_;
  gates::SuiteInput run_;
  v1::GateSuite suite_;
  std::optional<bundle::UngatedUnit> deployed_;
  Audit audit_;
};

}  // namespace

Tally Audit::rules() const { return Count(seeded, true, false); }
Tally Audit::scenarios() const { return Count(seeded, false, true); }
Tally Audit::all() const { return Count(seeded, true, true); }

absl::StatusOr<Audit> AuditGates(const bundle::UngatedUnit& unit, const AuditInput& input) {
  ASSIGN_OR_RETURN(gates::Suite suite,
                   gates::ParseSuite(input.suite.suite_yaml, input.suite.suite_file));
  if (!input.suite.against.empty() && !suite.document.has_non_inferiority()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s has no section non_inferiority, so nothing would be compared with %s",
                        input.suite.suite_file, input.suite.against));
  }
  return Auditor(unit, input, std::move(suite.document)).Run();
}

}  // namespace gatekeeper::defects
