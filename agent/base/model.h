#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "agent/base/clock.h"

namespace agent::base {

// A float32 tensor of fixed shape.
struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;

  size_t elements() const {
    size_t n = 1;
    for (int64_t d : shape) n *= static_cast<size_t>(d);
    return n;
  }
  bool operator==(const TensorSpec&) const = default;
};

struct ModelSignature {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  bool operator==(const ModelSignature&) const = default;
};

enum class RunOutcome {
  kDone,            // outputs hold this run's answer
  kDeadlineMissed,  // no answer in time; a late one is dropped, never shown
  kFailed,          // the run failed or the process that ran it is gone
};

// A loaded, warm model with fixed buffers. One of the four seams that tests replace; real ones are
// inference::OrtModel (in process) and control::WorkerModel (in a sandboxed worker). One thread at
// a time.
class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelSignature& signature() const = 0;
  virtual std::span<float> input(size_t index) = 0;
  virtual std::span<const float> output(size_t index) const = 0;
  // Runs on what stands in the inputs and answers within `budget`, whatever the model does.
  virtual RunOutcome Run(Nanos budget) = 0;
  // How long the last Run took, for records and reports; zero where nobody measures.
  virtual Nanos took() const { return Nanos{0}; }
  // Whether a Run that missed its budget is still at work, somewhere else.
  virtual bool busy() const { return false; }
};

}  // namespace agent::base
