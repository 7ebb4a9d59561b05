#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "agent/lifecycle/machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

namespace v1 = ::gatekeeper::v1;
using namespace agent::lifecycle;  // NOLINT: the test speaks the machine's words
using Candidate = ControlSaid::Candidate;

constexpr char kGolden[] = "tests/agent/lifecycle/machine_matrix.txt";

const std::string kUnit(64, 'a');
const std::string kOther(64, 'b');

std::vector<State> AllStates() {
  return {NothingWanted{},     Offered{},     Admitted{},         VerifiedMeta{},
          Fetching{},          Verified{},    Staged{},           Preflight{},
          Shadowing{},         Armed{},       Trying{},           Committed{},
          Returning{},         Reverting{},   RollingBack{"why"}, RolledBack{"why"},
          SafeFallback{"why"}, Refused{"why"}};
}

struct NamedEvent {
  std::string name;
  Event event;
};

std::vector<NamedEvent> AllEvents() {
  return {
      {"NotHere", NotHere{}},
      {"SlotHere(slot)", SlotHere{SlotHere::As::kSlot}},
      {"SlotHere(committed)", SlotHere{SlotHere::As::kCommitted}},
      {"SlotHere(other on trial)", SlotHere{SlotHere::As::kOtherOnTrial}},
      {"SlotHere(running)", SlotHere{SlotHere::As::kRunning}},
      {"PapersVerified", PapersVerified{}},
      {"SpaceFound", SpaceFound{}},
      {"FilesHere", FilesHere{}},
      {"SlotBuilt", SlotBuilt{}},
      {"Rejected", Rejected{"bad bytes"}},
      {"Control(nothing of it)", ControlSaid{.other_running = true}},
      {"Control(loading)", ControlSaid{.candidate = Candidate::kLoading, .other_running = true}},
      {"Control(ready)", ControlSaid{.candidate = Candidate::kReady, .other_running = true}},
      {"Control(shadowing)",
       ControlSaid{.candidate = Candidate::kShadowing, .other_running = true}},
      {"Control(on trial)",
       ControlSaid{.candidate = Candidate::kOnTrial, .on_trial = true, .is_running = true}},
      {"Control(committed, stopped)",
       ControlSaid{.candidate = Candidate::kCommitted, .is_committed = true}},
      {"Control(committed, running)", ControlSaid{.is_committed = true, .is_running = true}},
      {"Control(committed, other on trial)",
       ControlSaid{.is_committed = true, .on_trial = true, .other_running = true}},
      {"Control(failed, other running)",
       ControlSaid{.candidate = Candidate::kFailed, .other_running = true, .reason = "fault"}},
      {"Control(failed, rules only)",
       ControlSaid{.candidate = Candidate::kFailed, .reason = "fault"}},
      {"RulesOnly", RulesOnly{}},
  };
}

v1::DesiredState Wanted(v1::Stage stage) {
  v1::DesiredState desired;
  desired.set_generation(7);
  desired.set_unit_digest(kUnit);
  desired.set_unit_name("nav");
  desired.set_unit_version("1.1.0");
  desired.set_stage(stage);
  desired.set_reason("wave canary");
  return desired;
}

std::string Outcome(const Next& next) {
  std::string text = std::string(NameOf(next.state));
  for (const Note& note : next.notes) absl::StrAppend(&text, " !", note.kind);
  return text;
}

bool IsSurprise(const Next& next) {
  return next.notes.size() == 1 && next.notes[0].kind == "unexpected";
}

using Steps = std::map<std::pair<size_t, std::string>, std::string>;

Steps AllSteps(const v1::DesiredState& desired) {
  Steps steps;
  for (const State& state : AllStates()) {
    for (const NamedEvent& e : AllEvents()) {
      const Next next = Step(state, desired, e.event);
      const bool nothing = next.state.index() == state.index() && next.notes.empty();
      steps[{state.index(), e.name}] = nothing            ? "stays"
                                       : IsSurprise(next) ? "stays !unexpected"
                                                          : Outcome(next);
    }
  }
  return steps;
}

// Only what differs from `known`.
void PrintSteps(std::ostream& out, const std::string& title, const Steps& steps,
                const Steps& known) {
  out << "## " << title << "\n";
  for (const State& state : AllStates()) {
    for (const NamedEvent& e : AllEvents()) {
      const std::pair key{state.index(), e.name};
      if (steps.at(key) == known.at(key)) continue;
      out << NameOf(state) << " + " << e.name << " -> " << steps.at(key) << "\n";
    }
  }
  out << "\n";
}

// What every pair does unless something is listed: reports are mostly no news, and the ends of
// tasks are asked for by the one state that waits for them.
Steps Usual() {
  Steps usual;
  for (const State& state : AllStates()) {
    for (const NamedEvent& e : AllEvents()) {
      const bool no_news = std::holds_alternative<ControlSaid>(e.event) ||
                           std::holds_alternative<RulesOnly>(e.event);
      usual[{state.index(), e.name}] = no_news ? "stays" : "stays !unexpected";
    }
  }
  return usual;
}

std::string StageName(v1::Stage stage) { return v1::Stage_Name(stage).substr(6); }

void PrintTakes(std::ostream& out) {
  out << "## A newer directive\n";
  for (const State& state : AllStates()) {
    const Lifecycle now{Wanted(v1::STAGE_COMMIT), state};
    out << NameOf(state) << ":";
    for (const v1::Stage stage :
         {v1::STAGE_IDLE, v1::STAGE_WARM, v1::STAGE_SHADOW, v1::STAGE_TRIAL, v1::STAGE_COMMIT}) {
      out << " " << StageName(stage) << "->" << Outcome(Take(now, Wanted(stage)));
    }
    v1::DesiredState other = Wanted(v1::STAGE_COMMIT);
    other.set_unit_digest(kOther);
    v1::DesiredState back = Wanted(v1::STAGE_COMMIT);
    back.set_rollback(true);
    out << " other unit->" << Outcome(Take(now, other)) << " rollback->" << Outcome(Take(now, back))
        << " nothing->" << Outcome(Take(now, v1::DesiredState())) << "\n";
  }
  out << "\n";
}

std::string OrderText(const std::optional<v1::ControlOrder>& order) {
  if (!order) return "(silence)";
  return StageName(order->stage());
}

void PrintOrders(std::ostream& out) {
  out << "## Order to control: for a directive up to COMMIT / TRIAL / TRIAL with the lease gone / "
         "IDLE\n";
  for (const State& state : AllStates()) {
    out << NameOf(state) << ": " << OrderText(OrderOf(state, Wanted(v1::STAGE_COMMIT), 5000))
        << " / " << OrderText(OrderOf(state, Wanted(v1::STAGE_TRIAL), 5000)) << " / "
        << OrderText(OrderOf(state, Wanted(v1::STAGE_TRIAL), 0)) << " / "
        << OrderText(OrderOf(state, Wanted(v1::STAGE_IDLE), 5000)) << "\n";
  }
  out << "\n";
}

void PrintRecovery(std::ostream& out) {
  out << "## After a restart: nothing on disk / papers / papers and slot\n";
  for (const State& state : AllStates()) {
    out << NameOf(state) << ": " << NameOf(Recover(state, {})) << " / "
        << NameOf(Recover(state, {.papers = true})) << " / "
        << NameOf(Recover(state, {.papers = true, .slot = true})) << "\n";
  }
}

std::string Matrix() {
  std::ostringstream out;
  out << "# What the lifecycle machine does, printed by lifecycle_machine_test. !kind is a note "
         "for the\n"
         "# gatekeeper. Pairs that are not listed stay: reports (Control, RulesOnly) in silence, "
         "any\n"
         "# other event as !unexpected.\n\n";
  const Steps commit = AllSteps(Wanted(v1::STAGE_COMMIT));
  v1::DesiredState back = Wanted(v1::STAGE_COMMIT);
  back.set_rollback(true);
  PrintSteps(out, "Directive up to COMMIT", commit, Usual());
  PrintSteps(out, "Directive up to TRIAL: what is different", AllSteps(Wanted(v1::STAGE_TRIAL)),
             commit);
  PrintSteps(out, "Directive up to SHADOW: what is different", AllSteps(Wanted(v1::STAGE_SHADOW)),
             commit);
  PrintSteps(out, "Directive up to WARM: what is different", AllSteps(Wanted(v1::STAGE_WARM)),
             commit);
  PrintSteps(out, "Directive up to IDLE: what is different", AllSteps(Wanted(v1::STAGE_IDLE)),
             commit);
  PrintSteps(out, "Directive that rolls back: what is different", AllSteps(back), commit);
  PrintTakes(out);
  PrintOrders(out);
  PrintRecovery(out);
  return out.str();
}

TEST(LifecycleMachineTest, DoesWhatTheGoldenMatrixSays) {
  const std::string matrix = Matrix();
  if (std::getenv("UPDATE_GOLDENS") != nullptr) std::ofstream(kGolden) << matrix;

  std::ifstream file(kGolden);
  const std::string golden((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
  EXPECT_EQ(matrix, golden) << "UPDATE_GOLDENS=1 writes it anew; read the diff";
}

TEST(LifecycleMachineTest, NamesOfStatesComeBackAsTheSameStates) {
  for (const State& state : AllStates()) {
    const auto again = StateNamed(NameOf(state), ReasonOf(state));
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->index(), state.index());
    EXPECT_EQ(ReasonOf(*again), ReasonOf(state));
  }
  EXPECT_FALSE(StateNamed("Sleeping", "").ok());
}

TEST(LifecycleMachineTest, NeverPassesFromDownloadToDrivingWithoutEveryStageShownByControl) {
  const v1::DesiredState desired = Wanted(v1::STAGE_COMMIT);
  const ControlSaid on_trial{
      .candidate = Candidate::kOnTrial, .on_trial = true, .is_running = true};

  EXPECT_EQ(NameOf(Step(Staged{}, desired, on_trial).state), "Preflight");
  EXPECT_EQ(NameOf(Step(Preflight{}, desired, on_trial).state), "Shadowing");
  EXPECT_EQ(NameOf(Step(Shadowing{}, desired, on_trial).state), "Armed");
  EXPECT_EQ(NameOf(Step(Armed{}, desired, on_trial).state), "Trying");
  EXPECT_EQ(NameOf(Step(Trying{}, desired, on_trial).state), "Trying");
}

TEST(LifecycleMachineTest, LeaseInTheOrderIsWhatIsLeftOfItSinceTheLastContact) {
  const auto order = OrderOf(Trying{}, Wanted(v1::STAGE_TRIAL), 1234);

  ASSERT_TRUE(order);
  EXPECT_EQ(order->stage(), v1::STAGE_TRIAL);
  EXPECT_EQ(order->lease_ms(), 1234u);
  EXPECT_EQ(order->candidate_digest(), kUnit);
}

TEST(LifecycleMachineTest, QuarantineIsReleasedOnlyWhileTheUnitBegins) {
  v1::DesiredState desired = Wanted(v1::STAGE_COMMIT);
  desired.set_release_quarantine(true);

  for (const State& state : AllStates()) {
    const auto order = OrderOf(state, desired, 5000);
    const bool begins =
        std::holds_alternative<Staged>(state) || std::holds_alternative<Reverting>(state);
    EXPECT_EQ(order && order->release_quarantine(), begins) << NameOf(state);
  }
}

TEST(LifecycleMachineTest, ReadsFromAReportOnlyWhatIsAboutTheUnit) {
  v1::ControlReport report;
  report.mutable_pointer()->set_phase(v1::ON_TRIAL);
  report.mutable_pointer()->set_committed_digest(kUnit);
  report.mutable_pointer()->set_trial_digest(kOther);
  report.set_running_digest(kOther);
  report.set_candidate_digest(kOther);
  report.set_candidate_state(v1::CANDIDATE_FAILED);
  report.set_candidate_reason("of the other");

  const ControlSaid said = ReadReport(report, kUnit);

  EXPECT_EQ(said.candidate, Candidate::kNone);
  EXPECT_TRUE(said.is_committed);
  EXPECT_TRUE(said.on_trial);
  EXPECT_FALSE(said.is_running);
  EXPECT_TRUE(said.other_running);
  EXPECT_EQ(said.reason, "");
  EXPECT_FALSE(said.settled());
}

}  // namespace
