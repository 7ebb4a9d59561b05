#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/control/control_core.h"
#include "tests/agent/control/crash_files.h"
#include "tests/support/fake_clock.h"
#include "tests/support/small_robot.h"

// A robot in one process: the real core, records and Controller over a fake disk, clock and models.

namespace tests {

namespace v1 = ::gatekeeper::v1;
using agent::base::Nanos;
using agent::base::RunOutcome;
using std::chrono::milliseconds;

// Less patient with a late model than a SmallRobot, more with one that comes and goes; an empty
// battery stops it until a person has acknowledged.
inline std::shared_ptr<const agent::runtime::UnitRules> TestRules() {
  static const SmallRobot robot = SmallRobotWith(
      {{"channel: odom, fields: [vx_mps, wz_radps]", "channel: odom, fields: [vx_mps]"},
       {"max_consecutive: 5, window: {n: 100, max: 20}",
        "max_consecutive: 2, window: {n: 100, max: 10}"},
       {"wz_acc_max_radps2: 4.0", "wz_acc_max_radps2: 2.0"},
       {"clamp_budget: {window_s: 1,", "clamp_budget: {window_s: 2,"},
       {"max_transitions: 4,", "max_transitions: 30,"},
       {"footprint: {circle_m: {c: [0, 0], r: 0.25}}\n",
        "footprint: {circle_m: {c: [0, 0], r: 0.25}}\n"
        "derate:\n"
        "  - {signal: supply_V, points: [21, 23], scale: [0.0, 1.0], max_age_ms: 1000,\n"
        "     absent_scale: 1.0, trigger: hardware_limit, release_at: 22}\n"},
       {"triggers:\n",
        "triggers:\n"
        "  - {id: hardware_limit, layer: circuit, to: CONTROLLED_STOP, detect_ms: 1050,"
        " clear: {operator: true}}\n"}});
  static const auto rules = agent::runtime::LoadRules(robot.card, robot.policy, robot.fallback);
  if (!rules.ok()) {
    ADD_FAILURE() << rules.status();
    std::abort();
  }
  return *rules;
}

inline std::string DigestOf(char letter) { return std::string(64, letter); }

// What a fake model does, as a test directs it.
struct Script {
  float vx_mps = 0.2F;
  float wz_radps = 0;
  RunOutcome outcome = RunOutcome::kDone;
  Nanos took = milliseconds(2);
  bool busy = false;  // runs on after its deadline
  std::atomic<int> runs = 0;
};

class ScriptedModel final : public agent::base::Model {
 public:
  explicit ScriptedModel(std::shared_ptr<Script> script) : script_(std::move(script)) {
    const auto rules = TestRules();
    signature_ = *agent::runtime::SignatureFor(rules->card, rules->policy);
  }
  const agent::base::ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t) override { return input_; }
  std::span<const float> output(size_t) const override { return output_; }
  RunOutcome Run(Nanos) override {
    ++script_->runs;
    output_ = {script_->vx_mps, script_->wz_radps};
    return script_->outcome;
  }
  Nanos took() const override { return script_->took; }
  bool busy() const override { return script_->busy; }

 private:
  std::shared_ptr<Script> script_;
  agent::base::ModelSignature signature_;
  std::vector<float> input_ = {0};
  std::vector<float> output_ = {0, 0};
};

// Loads at once unless told otherwise.
class ScriptedSource final : public agent::control::ModelSource {
 public:
  uint64_t Request(const std::string& digest, const std::string&) override {
    ++requests[digest];
    orders_.push_back({++ticket_, digest});
    return ticket_;
  }
  std::optional<agent::control::SourceNews> Poll() override {
    if (!news_.empty()) {
      auto first = std::move(news_.front());
      news_.pop_front();
      return first;
    }
    for (auto at = orders_.begin(); at != orders_.end(); ++at) {
      if (slow.contains(at->second)) continue;
      const auto [ticket, digest] = *at;
      orders_.erase(at);
      if (broken.contains(digest)) {
        return agent::control::SourceNews{ticket, nullptr, absl::DataLossError(broken[digest])};
      }
      serving[digest] = ticket;
      return agent::control::SourceNews{
          ticket,
          *agent::control::MakeCrew(digest, TestRules(),
                                    std::make_unique<ScriptedModel>(ScriptOf(digest))),
          absl::OkStatus()};
    }
    return std::nullopt;
  }
  void Kill(uint64_t ticket) override {
    ++kills;
    for (const auto& [digest, serving_ticket] : serving) {
      if (serving_ticket == ticket) Lose(digest, "killed by signal 9");
    }
  }
  // The worker of `digest` dies.
  void Lose(const std::string& digest, const std::string& how) {
    ScriptOf(digest)->outcome = RunOutcome::kFailed;
    ScriptOf(digest)->busy = false;
    news_.push_back({serving.at(digest), nullptr, absl::UnavailableError(how)});
  }
  std::shared_ptr<Script> ScriptOf(const std::string& digest) {
    auto& script = scripts_[digest];
    if (!script) script = std::make_shared<Script>();
    return script;
  }

  std::map<std::string, int> slow;            // not loaded while it stands here
  std::map<std::string, std::string> broken;  // cannot be loaded, and why
  std::map<std::string, int> requests;
  std::map<std::string, uint64_t> serving;
  int kills = 0;

 private:
  uint64_t ticket_ = 0;
  std::deque<std::pair<uint64_t, std::string>> orders_;
  std::deque<agent::control::SourceNews> news_;
  std::map<std::string, std::shared_ptr<Script>> scripts_;
};

class ControlTest : public testing::Test {
 protected:
  static constexpr Nanos kPeriod = milliseconds(50);

  ControlTest() { Start(); }

  // Control begins a new life on the same disk. Workers die with it, so scripts begin afresh.
  void Start() {
    core_.reset();
    source_ = std::make_unique<ScriptedSource>();
    core_ = std::make_unique<agent::control::ControlCore>("state", files_, clock_, *source_);
  }

  v1::Command Step() {
    clock_.Advance(kPeriod);
    v1::Observation seen;
    seen.set_seq(++seq_);
    seen.set_stamp_ns(clock_.Now().count());
    seen.set_want_command(true);
    seen.set_network_up(true);
    seen.set_estop_pressed(estop_pressed_);
    seen.mutable_odom()->set_stamp_ns(clock_.Now().count());
    core_->Observe(seen, clock_.Now());
    core_->Tick(clock_.Now());
    const v1::Command command = core_->CommandFor(seen.seq());
    core_->Remember(clock_.Now());
    if (core_->TakeShadow(frame_)) {
      agent::control::RunShadow(frame_, result_);
      core_->AcceptShadow(result_, clock_.Now());
    }
    core_->Poll(clock_.Now());
    return command;
  }
  v1::Command Steps(int n) {
    v1::Command last;
    for (int i = 0; i < n; ++i) last = Step();
    return last;
  }

  v1::ControlOrder OrderFor(v1::Stage stage, const std::string& digest) {
    v1::ControlOrder order;
    order.set_seq(++order_seq_);
    order.set_stage(stage);
    order.set_candidate_digest(digest);
    order.set_lease_ms(1000);
    order.set_link_up(true);
    return order;
  }
  v1::ControlReport Apply(const v1::ControlOrder& order) {
    core_->Apply(order, clock_.Now());
    core_->Poll(clock_.Now());  // the source loads between two polls
    return Report();
  }
  v1::ControlReport Order(v1::Stage stage, const std::string& digest) {
    return Apply(OrderFor(stage, digest));
  }
  v1::ControlReport Report() { return core_->Report(clock_.Now()); }

  // `digest` committed and driving.
  void Commit(const std::string& digest) {
    Order(v1::STAGE_COMMIT, digest);
    Steps(3);
    ASSERT_EQ(Report().running_digest(), digest);
  }

  // Kinds of the pending events, oldest first.
  std::vector<std::string> Kinds() {
    std::vector<std::string> kinds;
    const v1::ControlReport report = Report();
    for (const v1::ControlEvent& event : report.events()) kinds.push_back(event.kind());
    return kinds;
  }

  const std::string a_ = DigestOf('a');
  const std::string b_ = DigestOf('b');
  const std::string c_ = DigestOf('c');
  CrashFiles files_;
  FakeClock clock_;
  std::unique_ptr<ScriptedSource> source_;
  std::unique_ptr<agent::control::ControlCore> core_;
  agent::control::ShadowFrame frame_;
  agent::control::ShadowResult result_;
  bool estop_pressed_ = false;
  uint64_t seq_ = 0;
  uint64_t order_seq_ = 0;
};

}  // namespace tests
