#include "agent/worker/trial.h"

#include <sys/resource.h>

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/sealed_memory.h"
#include "agent/base/status_macros.h"
#include "agent/inference/golden.h"
#include "agent/inference/onnx_scan.h"

namespace agent::worker {

namespace {

constexpr int kLowestPriority = 19;
// Of the one run that a model without golden answers proves itself by; control gives up earlier.
constexpr base::Nanos kPatience = std::chrono::minutes(10);

absl::StatusOr<inference::LoadedModel> Load(const TrialOrder& order,
                                            const base::ModelSignature& wanted) {
  ASSIGN_OR_RETURN(const base::SealedView bytes,
                   base::SealedView::Map(order.model_fd, inference::kMaxModelBytes));
  ASSIGN_OR_RETURN(const auto runtime, inference::OnnxRuntime::Open(order.library));
  return runtime->Load(bytes.bytes(), wanted, order.providers);
}

absl::StatusOr<std::optional<inference::Golden>> ReadGolden(int fd) {
  if (fd < 0) return std::nullopt;
  ASSIGN_OR_RETURN(const base::SealedView bytes,
                   base::SealedView::Map(fd, inference::kMaxGoldenBytes));
  return inference::ParseGolden(bytes.bytes());
}

std::string Report(const inference::LoadedModel& loaded,
                   const std::optional<inference::Golden>& golden) {
  std::string report = loaded.numerics_key;
  if (!golden) {
    report += "; no golden answers";
  } else if (golden->numerics_key == loaded.numerics_key) {
    report += absl::StrFormat("; %d golden answers equal bit for bit", golden->cases.size());
  } else {
    report += absl::StrFormat("; %d golden answers within tolerance of another numerics key's",
                              golden->cases.size());
  }
  for (const std::string& reason : loaded.passed_over) report += "; " + reason;
  return report;
}

absl::Status Prove(const std::optional<inference::Golden>& golden,
                   const inference::LoadedModel& loaded) {
  if (golden) return inference::CheckGolden(*golden, loaded.numerics_key, *loaded.model);
  if (loaded.model->Run(kPatience) == base::RunOutcome::kDone) return absl::OkStatus();
  return absl::InvalidArgumentError("the model does not run in the sandbox");
}

absl::StatusOr<TriedModel> TryHere(const TrialOrder& order, const base::ModelSignature& wanted) {
  setpriority(PRIO_PROCESS, 0, kLowestPriority);  // of this thread, on Linux
  RETURN_IF_ERROR(ForbidThreads());
  ASSIGN_OR_RETURN(inference::LoadedModel loaded, Load(order, wanted));
  ASSIGN_OR_RETURN(const std::optional<inference::Golden> golden, ReadGolden(order.golden_fd));
  RETURN_IF_ERROR(SealProcess());
  RETURN_IF_ERROR(Prove(golden, loaded));
  std::string report = Report(loaded, golden);
  return TriedModel{.model = std::move(loaded.model), .report = std::move(report)};
}

}  // namespace

absl::StatusOr<TriedModel> Try(const TrialOrder& order, const base::ModelSignature& wanted) {
  absl::StatusOr<TriedModel> tried = absl::UnknownError("not tried");
  // Only a privileged thread gets its niceness back: so it ends here.
  std::thread thread([&] { tried = TryHere(order, wanted); });
  thread.join();
  return tried;
}

}  // namespace agent::worker
