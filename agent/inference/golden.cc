#include "agent/inference/golden.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/split_mix.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"

namespace agent::inference {

namespace {

using Json = nlohmann::json;
using Rows = std::vector<std::vector<float>>;

constexpr char kSchema[] = "golden/1";
constexpr size_t kMaxTensors = 16;  // as many as a worker's channel carries
// On another processor sums are added in another order; measured differences of whole networks
// stay below a tenth of these.
constexpr double kAbsTolerance = 1e-4;
constexpr double kRelTolerance = 1e-3;
constexpr size_t kBytesPerNumber = 24;  // as text, with its comma
// Whatever a model takes longer than this for is not a robot's; nobody waits while a worker loads.
constexpr base::Nanos kPatience = std::chrono::minutes(1);

absl::Status BadGolden(const std::string& why) {
  return absl::InvalidArgumentError("golden.json: " + why);
}

bool HasExactly(const Json& object, std::initializer_list<const char*> keys) {
  return object.is_object() && object.size() == keys.size() &&
         std::ranges::all_of(keys, [&](const char* key) { return object.contains(key); });
}

absl::StatusOr<double> Tolerance(const Json& document, const char* key) {
  const Json& value = document[key];
  if (!value.is_number() || !(value.get<double>() >= 0 && value.get<double>() <= 1)) {
    return BadGolden(absl::StrFormat("%s wants a number from 0 to 1", key));
  }
  return value.get<double>();
}

absl::StatusOr<std::vector<std::string>> Names(const Json& document, const char* key) {
  const Json& value = document[key];
  if (!value.is_array() || value.empty() || value.size() > kMaxTensors) {
    return BadGolden(absl::StrFormat("%s wants a list of 1 to %d tensor names", key, kMaxTensors));
  }
  std::vector<std::string> names;
  for (const Json& name : value) {
    if (!name.is_string()) return BadGolden(absl::StrFormat("%s wants tensor names", key));
    names.push_back(name.get<std::string>());
  }
  return names;
}

absl::StatusOr<Rows> ReadRows(const Json& value, size_t tensors, const std::string& where) {
  if (!value.is_array() || value.size() != tensors) {
    return BadGolden(absl::StrFormat("%s wants %d lists of numbers", where, tensors));
  }
  Rows rows;
  for (const Json& row : value) {
    if (!row.is_array()) return BadGolden(where + " wants a list of numbers a tensor");
    std::vector<float>& floats = rows.emplace_back();
    for (const Json& number : row) {
      const double wide = number.is_number() ? number.get<double>() : NAN;
      if (!(std::abs(wide) <= std::numeric_limits<float>::max())) {
        return BadGolden(where + " holds what is not a finite 32-bit number");
      }
      floats.push_back(static_cast<float>(wide));
    }
  }
  return rows;
}

absl::StatusOr<Golden> Read(const Json& document) {
  if (!HasExactly(document, {"schema", "numerics_key", "abs_tolerance", "rel_tolerance", "inputs",
                             "outputs", "cases"}) ||
      document["schema"] != kSchema || !document["numerics_key"].is_string()) {
    return BadGolden(
        "wanted exactly schema (golden/1), numerics_key, abs_tolerance, rel_tolerance, inputs, "
        "outputs and cases");
  }
  Golden golden;
  golden.numerics_key = document["numerics_key"].get<std::string>();
  ASSIGN_OR_RETURN(golden.abs_tolerance, Tolerance(document, "abs_tolerance"));
  ASSIGN_OR_RETURN(golden.rel_tolerance, Tolerance(document, "rel_tolerance"));
  ASSIGN_OR_RETURN(golden.inputs, Names(document, "inputs"));
  ASSIGN_OR_RETURN(golden.outputs, Names(document, "outputs"));
  const Json& cases = document["cases"];
  if (!cases.is_array() || cases.empty() || cases.size() > kMaxGoldenCases) {
    return BadGolden(absl::StrFormat("cases wants a list of 1 to %d", kMaxGoldenCases));
  }
  for (const Json& entry : cases) {
    const std::string where = absl::StrFormat("cases[%d]", golden.cases.size());
    if (!HasExactly(entry, {"inputs", "outputs"})) {
      return BadGolden(where + " wants exactly inputs and outputs");
    }
    Golden::Case& read = golden.cases.emplace_back();
    ASSIGN_OR_RETURN(read.inputs,
                     ReadRows(entry["inputs"], golden.inputs.size(), where + ".inputs"));
    ASSIGN_OR_RETURN(read.outputs,
                     ReadRows(entry["outputs"], golden.outputs.size(), where + ".outputs"));
  }
  return golden;
}

absl::Status CheckSide(const char* side, const std::vector<std::string>& names,
                       const std::vector<base::TensorSpec>& tensors, const Rows& rows) {
  if (names.size() != tensors.size()) {
    return BadGolden(absl::StrFormat("it has %d %ss, the model card binds %d", names.size(), side,
                                     tensors.size()));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] != tensors[i].name) {
      return BadGolden(absl::StrFormat("its %s %d is '%s', the model card's is '%s'", side, i,
                                       names[i], tensors[i].name));
    }
    if (rows[i].size() != tensors[i].elements()) {
      return BadGolden(absl::StrFormat("%s '%s' has %d numbers, the model card binds %d", side,
                                       names[i], rows[i].size(), tensors[i].elements()));
    }
  }
  return absl::OkStatus();
}

bool Agrees(float found, float golden, const Golden& rule, bool exactly) {
  if (exactly) return std::bit_cast<uint32_t>(found) == std::bit_cast<uint32_t>(golden);
  const double difference = std::abs(double{found} - double{golden});
  return difference <= rule.abs_tolerance + rule.rel_tolerance * std::abs(double{golden});
}

// Numbers in [-1, 1) that are the same with every standard library.
class Uniform {
 public:
  explicit Uniform(uint64_t seed) : bits_(seed) {}
  float Next() {
    const auto bits = static_cast<float>(bits_.Next() >> 40);  // 24: exact in a float
    return bits / 8'388'608.0F - 1.0F;
  }

 private:
  base::SplitMix bits_;
};

void Fill(std::span<float> input, size_t index, Uniform& random) {
  for (float& value : input) value = index < 2 ? static_cast<float>(index) : random.Next();
}

size_t NumbersOf(const base::ModelSignature& signature) {
  size_t numbers = 0;
  for (const auto* tensors : {&signature.inputs, &signature.outputs}) {
    for (const base::TensorSpec& tensor : *tensors) numbers += tensor.elements();
  }
  return numbers;
}

absl::Status RunCase(base::Model& model, size_t index) {
  if (model.Run(kPatience) == base::RunOutcome::kDone) return absl::OkStatus();
  return BadGolden(absl::StrFormat("the model failed to run on cases[%d]", index));
}

}  // namespace

absl::StatusOr<Golden> ParseGolden(std::string_view json) {
  if (json.size() > kMaxGoldenBytes) {
    return BadGolden(absl::StrFormat("%d bytes; at most %d", json.size(), kMaxGoldenBytes));
  }
  ASSIGN_OR_RETURN(const Json document, base::ParseStrictJson(json, "golden.json"));
  return Read(document);
}

std::string WriteGolden(const Golden& golden) {
  // A line a case: a change of one of them is then a change of one line.
  const Json head = {{"schema", kSchema},
                     {"numerics_key", golden.numerics_key},
                     {"abs_tolerance", golden.abs_tolerance},
                     {"rel_tolerance", golden.rel_tolerance},
                     {"inputs", golden.inputs},
                     {"outputs", golden.outputs}};
  std::string text = head.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.back() = ',';
  text += "\"cases\":[";
  for (const Golden::Case& one : golden.cases) {
    text += text.back() == '[' ? "\n" : ",\n";
    text += Json{{"inputs", one.inputs}, {"outputs", one.outputs}}.dump();
  }
  return text + "\n]}\n";
}

absl::Status CheckGoldenFits(const Golden& golden, const base::ModelSignature& signature) {
  for (const Golden::Case& one : golden.cases) {
    RETURN_IF_ERROR(CheckSide("input", golden.inputs, signature.inputs, one.inputs));
    RETURN_IF_ERROR(CheckSide("output", golden.outputs, signature.outputs, one.outputs));
  }
  return absl::OkStatus();
}

absl::Status CheckGolden(const Golden& golden, std::string_view numerics_key, base::Model& model) {
  RETURN_IF_ERROR(CheckGoldenFits(golden, model.signature()));
  const bool exactly = golden.numerics_key == numerics_key;
  for (size_t i = 0; i < golden.cases.size(); ++i) {
    const Golden::Case& one = golden.cases[i];
    for (size_t t = 0; t < one.inputs.size(); ++t) {
      std::ranges::copy(one.inputs[t], model.input(t).begin());
    }
    RETURN_IF_ERROR(RunCase(model, i));
    for (size_t t = 0; t < one.outputs.size(); ++t) {
      for (size_t e = 0; e < one.outputs[t].size(); ++e) {
        const float found = model.output(t)[e];
        const float wanted = one.outputs[t][e];
        if (Agrees(found, wanted, golden, exactly)) continue;
        return absl::DataLossError(absl::StrFormat(
            "the model does not give its golden answers here: cases[%d] output '%s'[%d] is %.9g, "
            "golden %.9g (%s)",
            i, golden.outputs[t], e, found, wanted,
            exactly ? "same numerics key: must be equal bit for bit"
                    : "another numerics key: beyond the tolerance"));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Golden> RecordGolden(base::Model& model, const std::string& numerics_key,
                                    size_t cases, uint64_t seed) {
  const base::ModelSignature& signature = model.signature();
  const size_t fit = kMaxGoldenBytes / (NumbersOf(signature) * kBytesPerNumber);
  if (fit == 0) return BadGolden("not even one case of this model fits into the largest file");
  Golden golden;
  golden.numerics_key = numerics_key;
  golden.abs_tolerance = kAbsTolerance;
  golden.rel_tolerance = kRelTolerance;
  for (const base::TensorSpec& tensor : signature.inputs) golden.inputs.push_back(tensor.name);
  for (const base::TensorSpec& tensor : signature.outputs) golden.outputs.push_back(tensor.name);
  Uniform random(seed);
  for (size_t i = 0; i < std::min({cases, fit, kMaxGoldenCases}); ++i) {
    Golden::Case& one = golden.cases.emplace_back();
    for (size_t t = 0; t < signature.inputs.size(); ++t) {
      Fill(model.input(t), i, random);
      one.inputs.emplace_back(model.input(t).begin(), model.input(t).end());
    }
    RETURN_IF_ERROR(RunCase(model, i));
    for (size_t t = 0; t < signature.outputs.size(); ++t) {
      const std::span<const float> output = model.output(t);
      if (!std::ranges::all_of(output, [](float value) { return std::isfinite(value); })) {
        return BadGolden(absl::StrFormat("output '%s' of cases[%d] is not finite",
                                         signature.outputs[t].name, i));
      }
      one.outputs.emplace_back(output.begin(), output.end());
    }
  }
  return golden;
}

}  // namespace agent::inference
