#include "agent/runtime/shadow_run.h"

namespace agent::runtime {

const ShadowTick& ShadowRun::Step(const InputBoard& board, std::span<const double> driven,
                                  Nanos now) {
  const Policy& policy = candidate_.rules->policy;
  Ask(candidate_, board, InputsOf(policy, board, now), policy.deadline().hard, answer_);
  tick_.ran = answer_.kind != AnswerKind::kNotAsked;
  tick_.raw = answer_.raw;
  tick_.enforced.clear();
  tick_.clamped = false;
  tick_.nonfinite = answer_.kind == AnswerKind::kNonfinite;
  tick_.deadline_missed = answer_.kind == AnswerKind::kMissed;
  tick_.failed = answer_.kind == AnswerKind::kFailed || answer_.kind == AnswerKind::kBroken;
  tick_.confidence = answer_.report.confidence;
  tick_.infer = answer_.took;
  const ChannelRecord& scan = board.RecordOf(ChannelKind::kScan);
  separation_.See(board.scan(), scan.messages);
  const double period_s = 1 / policy.command().rate_hz;
  acc_mps2_ = RiseOf(last_driven_, driven, period_s, acc_mps2_);
  if (driven.size() != last_driven_.size()) arm_motion_.Start(driven.size(), {});
  arm_motion_.Follow(last_driven_, driven, period_s);
  last_driven_.assign(driven.begin(), driven.end());
  enforcement_.reasons.clear();
  derating_.Judge(board, now, enforcement_.reasons);
  if (!answer_.usable()) return tick_;

  Situation situation{.last = driven,
                      .last_raw = last_raw_,
                      .acc_s = period_s,
                      .dec_s = period_s,
                      .acc_mps2 = acc_mps2_,
                      .derate = derating_.scale(),
                      .derate_reason = derating_.reason(),
                      .motion = MeasuredMotion(policy, board, now),
                      .joints_rad = {},
                      .joints_radps = arm_motion_.speeds_radps(),
                      .joints_radps2 = arm_motion_.accelerations_radps2()};
  const auto& joints = board.joints().q_rad();
  situation.joints_rad = {joints.data(), static_cast<size_t>(joints.size())};
  Enforce(policy, separation_, tick_.raw, situation, enforcement_);
  tick_.enforced = enforcement_.values;
  tick_.clamped = enforcement_.clamped;
  last_raw_ = tick_.raw;
  return tick_;
}

}  // namespace agent::runtime
