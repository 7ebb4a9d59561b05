#include "agent/inference/ort_model.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <new>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/inference/fit_signature.h"

namespace agent::inference {

namespace {
constexpr std::align_val_t kAlignment{64};  // a cache line, and the widest vector register
}

void OrtModel::AlignedFree::operator()(float* floats) const {
  operator delete[](floats, kAlignment);
}

OrtModel::OrtModel(std::shared_ptr<const void> library, const OrtApi& api,
                   OrtHandle<OrtSession> session, const base::ModelSignature& signature)
    : library_(std::move(library)),
      api_(api),
      session_(std::move(session)),
      signature_(signature),
      binding_(nullptr, api.ReleaseIoBinding) {}

absl::StatusOr<std::unique_ptr<OrtModel>> OrtModel::Make(std::shared_ptr<const void> library,
                                                         const OrtApi& api,
                                                         OrtHandle<OrtSession> session,
                                                         const base::ModelSignature& signature,
                                                         base::ExecutionProvider provider) {
  std::unique_ptr<OrtModel> model(
      new OrtModel(std::move(library), api, std::move(session), signature));
  RETURN_IF_ERROR(model->MakeTensors(Side::kInput));
  RETURN_IF_ERROR(model->MakeTensors(Side::kOutput));
  if (provider == base::ExecutionProvider::kCpu) RETURN_IF_ERROR(model->Bind());
  return model;
}

absl::Status OrtModel::MakeTensors(Side side) {
  const bool is_input = side == Side::kInput;
  const std::vector<base::TensorSpec>& wanted = is_input ? signature_.inputs : signature_.outputs;
  ASSIGN_OR_RETURN(const std::vector<FoundTensor> found, FindTensors(api_, *session_, side));
  ASSIGN_OR_RETURN(const auto shapes, FitTensors(found, wanted, side));

  OrtMemoryInfo* raw_memory = nullptr;
  RETURN_IF_ERROR(
      ToStatus(api_, api_.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &raw_memory)));
  const OrtHandle<OrtMemoryInfo> memory(raw_memory, api_.ReleaseMemoryInfo);
  for (size_t i = 0; i < wanted.size(); ++i) {
    Tensor tensor;
    tensor.elements = wanted[i].elements();
    const size_t held = base::TensorSpec{.name = "", .shape = shapes[i]}.elements();
    tensor.buffer.reset(new (kAlignment) float[held]());
    OrtValue* raw = nullptr;
    RETURN_IF_ERROR(ToStatus(
        api_, api_.CreateTensorWithDataAsOrtValue(
                  memory.get(), tensor.buffer.get(), held * sizeof(float), shapes[i].data(),
                  shapes[i].size(), ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &raw)));
    values_.emplace_back(raw, api_.ReleaseValue);
    if (is_input) input_values_.push_back(raw);
    if (!is_input) output_values_.push_back(raw);
    (is_input ? input_names_ : output_names_).push_back(wanted[i].name.c_str());
    (is_input ? inputs_ : outputs_).push_back(std::move(tensor));
  }
  return absl::OkStatus();
}

absl::Status OrtModel::Bind() {
  OrtIoBinding* binding = nullptr;
  RETURN_IF_ERROR(ToStatus(api_, api_.CreateIoBinding(session_.get(), &binding)));
  binding_.reset(binding);
  for (size_t i = 0; i < input_names_.size(); ++i) {
    RETURN_IF_ERROR(ToStatus(api_, api_.BindInput(binding, input_names_[i], input_values_[i])));
  }
  for (size_t i = 0; i < output_names_.size(); ++i) {
    RETURN_IF_ERROR(ToStatus(api_, api_.BindOutput(binding, output_names_[i], output_values_[i])));
  }
  return absl::OkStatus();
}

absl::Status OrtModel::RunOnce() {
  if (binding_) return ToStatus(api_, api_.RunWithBinding(session_.get(), nullptr, binding_.get()));
  return ToStatus(api_, api_.Run(session_.get(), nullptr, input_names_.data(), input_values_.data(),
                                 input_values_.size(), output_names_.data(), output_names_.size(),
                                 output_values_.data()));
}

absl::Status OrtModel::WarmUp(int runs) {
  for (int i = 0; i < runs; ++i) {
    if (const absl::Status status = RunOnce(); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrFormat("warm-up run %d of %d failed: %s", i + 1,
                                                        runs, std::string(status.message())));
    }
  }
  for (const Tensor& tensor : outputs_) std::ranges::fill(tensor.floats(), 0.0F);
  return absl::OkStatus();
}

base::RunOutcome OrtModel::Run(base::Nanos budget) {
  const auto start = std::chrono::steady_clock::now();
  if (!RunOnce().ok()) return base::RunOutcome::kFailed;
  if (std::chrono::steady_clock::now() - start <= budget) return base::RunOutcome::kDone;
  for (const Tensor& tensor : outputs_) {
    std::ranges::fill(tensor.floats(), std::numeric_limits<float>::quiet_NaN());
  }
  return base::RunOutcome::kDeadlineMissed;
}

}  // namespace agent::inference
