#include "gatekeeper/sim/network.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace gatekeeper::sim {
namespace {

constexpr size_t kBatch = 64;
constexpr float kBeta1 = 0.9F;
constexpr float kBeta2 = 0.999F;
constexpr float kEpsilon = 1e-8F;

// First and second moments of one tensor's gradient (Kingma & Ba 2015).
class Adam {
 public:
  explicit Adam(size_t n) : mean_(n, 0.0F), square_(n, 0.0F) {}

  void Apply(std::vector<float>& weights, std::vector<float>& gradient, float rate, int step) {
    const float fix1 = 1 - std::pow(kBeta1, static_cast<float>(step));
    const float fix2 = 1 - std::pow(kBeta2, static_cast<float>(step));
    for (size_t i = 0; i < weights.size(); ++i) {
      mean_[i] = kBeta1 * mean_[i] + (1 - kBeta1) * gradient[i];
      square_[i] = kBeta2 * square_[i] + (1 - kBeta2) * gradient[i] * gradient[i];
      weights[i] -= rate * (mean_[i] / fix1) / (std::sqrt(square_[i] / fix2) + kEpsilon);
      gradient[i] = 0;
    }
  }

 private:
  std::vector<float> mean_;
  std::vector<float> square_;
};

}  // namespace

class Trainer {
 public:
  Trainer(Network& network, const Dataset& data) : layers_(network.layers_), data_(data) {
    values_.emplace_back(data.inputs);
    for (const DenseLayer& layer : layers_) {
      values_.emplace_back(static_cast<size_t>(layer.outputs));
      errors_.emplace_back(static_cast<size_t>(layer.outputs));
      weight_gradients_.emplace_back(layer.weights.size());
      bias_gradients_.emplace_back(layer.bias.size());
      weight_steps_.emplace_back(layer.weights.size());
      bias_steps_.emplace_back(layer.bias.size());
    }
  }

  void Run(const TrainingSpec& spec, Random& random) {
    std::vector<size_t> order(data_.rows());
    std::iota(order.begin(), order.end(), size_t{0});
    int step = 0;
    for (int epoch = 0; epoch < spec.epochs; ++epoch) {
      for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
      // Cosine decay: the last epochs settle.
      const float progress = static_cast<float>(epoch) / static_cast<float>(spec.epochs);
      const float rate =
          spec.learning_rate * (0.02F + 0.98F * 0.5F * (1 + std::cos(3.14159F * progress)));
      for (size_t begin = 0; begin < order.size(); begin += kBatch) {
        const size_t end = std::min(begin + kBatch, order.size());
        for (size_t i = begin; i < end; ++i)
          Learn(order[i], 1.0F / static_cast<float>(end - begin));
        ++step;
        for (size_t l = 0; l < layers_.size(); ++l) {
          weight_steps_[l].Apply(layers_[l].weights, weight_gradients_[l], rate, step);
          bias_steps_[l].Apply(layers_[l].bias, bias_gradients_[l], rate, step);
        }
      }
    }
  }

 private:
  void Learn(size_t row, float scale) {
    std::copy_n(data_.features.begin() + static_cast<std::ptrdiff_t>(row * data_.inputs),
                data_.inputs, values_[0].begin());
    for (size_t l = 0; l < layers_.size(); ++l) Forward(layers_[l], values_[l], values_[l + 1]);
    std::vector<float>& last = errors_.back();
    for (size_t o = 0; o < data_.outputs; ++o) {
      last[o] = scale * (values_.back()[o] - data_.targets[row * data_.outputs + o]);
    }
    for (size_t l = layers_.size(); l-- > 0;) Backward(l);
  }

  static void Forward(const DenseLayer& layer, const std::vector<float>& in,
                      std::vector<float>& out) {
    const size_t width = out.size();
    std::copy(layer.bias.begin(), layer.bias.end(), out.begin());
    for (size_t i = 0; i < in.size(); ++i) {
      const float* row = &layer.weights[i * width];
      for (size_t o = 0; o < width; ++o) out[o] += in[i] * row[o];
    }
    if (layer.activation == Activation::kTanh) {
      for (float& value : out) value = std::tanh(value);
    }
  }

  // errors_[l] holds the gradient at the layer's output; leaves the one at its input in errors_[l -
  // 1].
  void Backward(size_t l) {
    const DenseLayer& layer = layers_[l];
    std::vector<float>& error = errors_[l];
    if (layer.activation == Activation::kTanh) {
      for (size_t o = 0; o < error.size(); ++o) {
        error[o] *= 1 - values_[l + 1][o] * values_[l + 1][o];
      }
    }
    const size_t width = error.size();
    for (size_t o = 0; o < width; ++o) bias_gradients_[l][o] += error[o];
    for (size_t i = 0; i < values_[l].size(); ++i) {
      const float in = values_[l][i];
      float* gradient = &weight_gradients_[l][i * width];
      const float* row = &layer.weights[i * width];
      float below = 0;
      for (size_t o = 0; o < width; ++o) {
        gradient[o] += in * error[o];
        below += row[o] * error[o];
      }
      if (l > 0) errors_[l - 1][i] = below;
    }
  }

  std::vector<DenseLayer>& layers_;
  const Dataset& data_;
  std::vector<std::vector<float>> values_;  // [0] the features, [l + 1] the output of layer l
  std::vector<std::vector<float>> errors_;
  std::vector<std::vector<float>> weight_gradients_;
  std::vector<std::vector<float>> bias_gradients_;
  std::vector<Adam> weight_steps_;
  std::vector<Adam> bias_steps_;
};

Network::Network(size_t inputs, size_t outputs, const std::vector<size_t>& hidden, Random& random) {
  std::vector<size_t> widths = {inputs};
  widths.insert(widths.end(), hidden.begin(), hidden.end());
  widths.push_back(outputs);
  for (size_t l = 0; l + 1 < widths.size(); ++l) {
    DenseLayer layer;
    layer.inputs = static_cast<int64_t>(widths[l]);
    layer.outputs = static_cast<int64_t>(widths[l + 1]);
    layer.activation = l + 2 < widths.size() ? Activation::kTanh : Activation::kNone;
    layer.bias.assign(widths[l + 1], 0.0F);
    const double sigma = 1 / std::sqrt(static_cast<double>(widths[l]));
    for (size_t i = 0; i < widths[l] * widths[l + 1]; ++i) {
      layer.weights.push_back(static_cast<float>(random.Normal(sigma)));
    }
    layers_.push_back(std::move(layer));
  }
}

Network Network::Train(const Dataset& data, const TrainingSpec& spec) {
  Random random(spec.seed);
  Network network(data.inputs, data.outputs, spec.hidden, random);
  Trainer(network, data).Run(spec, random);
  return network;
}

}  // namespace gatekeeper::sim
