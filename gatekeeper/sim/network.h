#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "gatekeeper/sim/onnx_writer.h"
#include "gatekeeper/sim/random.h"

namespace gatekeeper::sim {

// Examples side by side: row i is features[i * inputs ...] -> targets[i * outputs ...].
struct Dataset {
  size_t inputs = 0;
  size_t outputs = 0;
  std::vector<float> features;
  std::vector<float> targets;
  size_t rows() const { return inputs == 0 ? 0 : features.size() / inputs; }
};

struct TrainingSpec {
  std::vector<size_t> hidden;  // widths of the tanh layers
  int epochs = 1;
  float learning_rate = 1e-3F;
  uint64_t seed = 1;
};

// A small multilayer perceptron trained by Adam on the mean squared error. Plain float arithmetic
// in a fixed order: the same data and spec give the same weights on every machine.
class Network {
 public:
  static Network Train(const Dataset& data, const TrainingSpec& spec);

  // As dense layers for the ONNX writer.
  const std::vector<DenseLayer>& layers() const { return layers_; }

 private:
  Network(size_t inputs, size_t outputs, const std::vector<size_t>& hidden, Random& random);
  std::vector<DenseLayer> layers_;

  friend class Trainer;
};

}  // namespace gatekeeper::sim
