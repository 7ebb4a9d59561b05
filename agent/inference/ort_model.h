#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/model.h"
#include "agent/inference/ort_api.h"

namespace agent::inference {

// A session with buffers of its own, bound to it once: a run copies, looks up and allocates nothing
// on our side, and ONNX Runtime looks up no name. Made by OnnxRuntime::Load, whose comment says
// what Run promises.
class OrtModel final : public base::Model {
 public:
  // `library` is whatever must outlive the session. The shapes are those of FitTensors.
  static absl::StatusOr<std::unique_ptr<OrtModel>> Make(std::shared_ptr<const void> library,
                                                        const OrtApi& api,
                                                        OrtHandle<OrtSession> session,
                                                        const base::ModelSignature& signature);

  // Runs `runs` times on zeros and clears the outputs. kInvalidArgument: the run that failed and
  // why.
  absl::Status WarmUp(int runs);

  const base::ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t index) override { return inputs_[index].floats(); }
  std::span<const float> output(size_t index) const override { return outputs_[index].floats(); }
  base::RunOutcome Run(base::Nanos budget) override;

 private:
  struct AlignedFree {
    void operator()(float* floats) const;
  };
  struct Tensor {
    std::unique_ptr<float[], AlignedFree> buffer;
    size_t elements = 0;  // wanted; the model's own tensor may go on behind them
    std::span<float> floats() const { return {buffer.get(), elements}; }
  };
  using Value = OrtHandle<OrtValue>;

  OrtModel(std::shared_ptr<const void> library, const OrtApi& api, OrtHandle<OrtSession> session,
           const base::ModelSignature& signature);
  absl::Status Bind(Side side);
  absl::Status RunOnce();

  std::shared_ptr<const void> library_;
  const OrtApi& api_;
  OrtHandle<OrtSession> session_;
  base::ModelSignature signature_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
  std::vector<Value> values_;  // over the buffers
  OrtHandle<OrtIoBinding> binding_;
};

}  // namespace agent::inference
