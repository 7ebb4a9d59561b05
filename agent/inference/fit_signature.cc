#include "agent/inference/fit_signature.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace agent::inference {

namespace {

using Shape = std::vector<int64_t>;

const char* Name(Side side) { return side == Side::kInput ? "input" : "output"; }

std::string Text(const base::TensorSpec& tensor) {
  return absl::StrFormat("float32[%s]", absl::StrJoin(tensor.shape, ","));
}

bool IsFlat(const Shape& shape) {
  return shape.size() == 1 || (shape.size() == 2 && shape[0] == 1);
}

// Same rank, each dimension equal or free.
bool FitsByDimension(const Shape& found, const Shape& wanted) {
  return std::equal(found.begin(), found.end(), wanted.begin(), wanted.end(),
                    [](int64_t f, int64_t w) { return f == w || f < 0; });
}

// Beyond it a shape is an attack or a mistake: 256 MiB of floats in one tensor.
constexpr size_t kMostElements = size_t{1} << 26;

// The found shape with a free leading (batch) dimension taken as 1, if it then has the elements: an
// output may have more, which nothing is bound to.
std::optional<Shape> FitsByCount(Shape found, size_t wanted, Side side) {
  if (!found.empty() && found[0] < 0) found[0] = 1;
  size_t elements = 1;
  for (const int64_t dimension : found) {
    if (dimension < 1 || static_cast<size_t>(dimension) > kMostElements / elements) {
      return std::nullopt;
    }
    elements *= static_cast<size_t>(dimension);
  }
  const bool fits = side == Side::kInput ? elements == wanted : elements >= wanted;
  return fits ? std::optional(std::move(found)) : std::nullopt;
}

absl::StatusOr<Shape> Fit(const FoundTensor& found, const base::TensorSpec& wanted, Side side) {
  if (found.is_float) {
    // Rank 0 also stands for a shape the file leaves open: the warm-up run proves or refuses it.
    if (found.shape.empty() || FitsByDimension(found.shape, wanted.shape)) return wanted.shape;
    if (IsFlat(wanted.shape)) {
      if (auto shape = FitsByCount(found.shape, wanted.elements(), side)) return *std::move(shape);
    }
  }
  return absl::InvalidArgumentError(absl::StrFormat("%s '%s': found %s, wanted %s", Name(side),
                                                    wanted.name, found.text, Text(wanted)));
}

}  // namespace

absl::StatusOr<std::vector<Shape>> FitTensors(const std::vector<FoundTensor>& found,
                                              const std::vector<base::TensorSpec>& wanted,
                                              Side side) {
  std::vector<Shape> shapes;
  for (const base::TensorSpec& tensor : wanted) {
    const auto at = std::find_if(found.begin(), found.end(),
                                 [&](const FoundTensor& f) { return f.name == tensor.name; });
    if (at == found.end()) {
      const std::string list =
          absl::StrJoin(found, ", ", [](std::string* out, const FoundTensor& f) {
            out->append("'" + f.name + "' " + f.text);
          });
      return absl::InvalidArgumentError(
          absl::StrFormat("%s '%s': not in the model, wanted %s; the model has %s", Name(side),
                          tensor.name, Text(tensor), list.empty() ? "none" : list));
    }
    absl::StatusOr<Shape> shape = Fit(*at, tensor, side);
    if (!shape.ok()) return shape.status();
    shapes.push_back(*std::move(shape));
  }
  if (side == Side::kOutput) return shapes;
  for (const FoundTensor& tensor : found) {
    const bool is_wanted =
        std::any_of(wanted.begin(), wanted.end(),
                    [&](const base::TensorSpec& w) { return w.name == tensor.name; });
    if (!is_wanted) {
      return absl::InvalidArgumentError(
          absl::StrFormat("input '%s': found %s, but nothing is wanted there (the model card binds "
                          "no channel to it)",
                          tensor.name, tensor.text));
    }
  }
  return shapes;
}

}  // namespace agent::inference
