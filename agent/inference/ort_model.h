#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/execution_provider.h"
#include "agent/base/model.h"
#include "agent/inference/ort_api.h"

namespace agent::inference {

// A session with buffers of its own: a run copies, looks up and allocates nothing on our side. On
// the CPU they are bound to the session once, and ONNX Runtime looks up no name either; to another
// device it would copy the inputs when they are bound, and never again. Made by OnnxRuntime::Load,
// whose comment says what Run promises.
class OrtModel final : public base::Model {
 public:
  // `library` is whatever must outlive the session. The shapes are those of FitTensors.
  static absl::StatusOr<std::unique_ptr<OrtModel>> Make(std::shared_ptr<const void> library,
                                                        const OrtApi& api,
                                                        OrtHandle<OrtSession> session,
                                                        const base::ModelSignature& signature,
                                                        base::ExecutionProvider provider);

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
  absl::Status MakeTensors(Side side);
  absl::Status Bind();
  absl::Status RunOnce();

  std::shared_ptr<const void> library_;
  const OrtApi& api_;
  OrtHandle<OrtSession> session_;
  base::ModelSignature signature_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
  std::vector<Value> values_;  // owns what the two below point to
  std::vector<const OrtValue*> input_values_;
  std::vector<OrtValue*> output_values_;
  std::vector<const char*> input_names_;  // into signature_
  std::vector<const char*> output_names_;
  OrtHandle<OrtIoBinding> binding_;  // null: not on the CPU
};

}  // namespace agent::inference
