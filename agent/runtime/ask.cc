#include "agent/runtime/ask.h"

#include <algorithm>
#include <limits>

#include "agent/runtime/freshness.h"

namespace agent::runtime {
namespace {

AnswerKind RunOnce(const Pilot& pilot, const InputBoard& board, Inputs inputs, Nanos budget,
                   Answer& answer) {
  if (pilot.model == nullptr) return AnswerKind::kFailed;
  if (inputs != Inputs::kFresh) return AnswerKind::kNotAsked;
  if (!pilot.binding.InputsFit(*pilot.model)) return AnswerKind::kBroken;
  if (!pilot.binding.Fill(board, *pilot.model)) return AnswerKind::kFailed;
  const base::RunOutcome outcome = pilot.model->Run(budget);
  answer.took = pilot.model->took();
  if (outcome == base::RunOutcome::kDeadlineMissed) return AnswerKind::kMissed;
  if (outcome != base::RunOutcome::kDone) return AnswerKind::kFailed;
  if (!pilot.binding.OutputsFit(*pilot.model)) return AnswerKind::kBroken;
  const bool finite = pilot.binding.Read(*pilot.model, answer.raw, answer.report);
  return finite ? AnswerKind::kUsable : AnswerKind::kNonfinite;
}

}  // namespace

Inputs InputsOf(const Policy& policy, const InputBoard& board, Nanos now) {
  const std::vector<InputLimits>& inputs = policy.inputs();
  const bool fresh = std::all_of(inputs.begin(), inputs.end(), [&](const InputLimits& input) {
    return !input.required || IsFresh(input, board, now);
  });
  return fresh ? Inputs::kFresh : Inputs::kStale;
}

void Ask(const Pilot& pilot, const InputBoard& board, Inputs inputs, Nanos budget, Answer& answer) {
  answer.took = Nanos{0};
  answer.kind = RunOnce(pilot, board, inputs, budget, answer);
  if (answer.usable()) return;
  answer.raw.clear();
  answer.report = {};
}

std::optional<Motion> MeasuredMotion(const Policy& policy, const InputBoard& board, Nanos now) {
  const InputLimits* input = policy.FindInput("odom");
  if (input == nullptr || !IsFresh(*input, board, now)) return std::nullopt;
  return MotionOf(board, now);
}

Motion MotionOf(const InputBoard& board, Nanos now) {
  const gatekeeper::v1::Odometry& odom = board.odom();
  constexpr double kNotTold = std::numeric_limits<double>::quiet_NaN();
  return {.pose = {odom.x_m(), odom.y_m(), odom.yaw_rad()},
          .vx_mps = odom.vx_mps(),
          .wz_radps = odom.wz_radps(),
          .age = std::max(Nanos{0}, now - board.RecordOf(ChannelKind::kOdom).sent),
          .pose_sigma_m = odom.has_pose_sigma_m() ? odom.pose_sigma_m() : kNotTold};
}

}  // namespace agent::runtime
