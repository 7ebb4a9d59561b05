#include "agent/runtime/binding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "absl/strings/str_join.h"
#include "agent/base/execution_provider.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr uint32_t kMaxSectors = 4096;
constexpr uint32_t kMaxSide = 2048;  // pixels
constexpr std::array<std::string_view, 2> kOwnFields = {"confidence", "uncertainty"};
constexpr uint32_t kMaxOutput = 65536;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const std::vector<std::string> kOdomFields = {"vx_mps", "wz_radps", "x_m", "y_m", "yaw_rad"};
const std::vector<std::string> kImuFields = {"ax_mps2",  "ay_mps2",  "az_mps2",
                                             "gx_radps", "gy_radps", "gz_radps"};
const std::vector<std::string> kJointFields = {"q_rad", "qd_radps"};
const std::vector<std::string> kSignalFields = {"value"};

double OdomField(const v1::Odometry& odom, size_t field) {
  const std::array<double, 5> values = {odom.vx_mps(), odom.wz_radps(), odom.x_m(), odom.y_m(),
                                        odom.yaw_rad()};
  return values[field];
}

double ImuField(const v1::Imu& imu, size_t field) {
  const std::array<double, 6> values = {imu.ax_mps2(),  imu.ay_mps2(),  imu.az_mps2(),
                                        imu.gx_radps(), imu.gy_radps(), imu.gz_radps()};
  return values[field];
}

template <class Written>
absl::StatusOr<Conversion> ConversionOf(const std::string& path, const Written& written) {
  const Conversion conversion{.clip_min = written.has_clip_min() ? written.clip_min() : -kInfinity,
                              .clip_max = written.has_clip_max() ? written.clip_max() : kInfinity,
                              .scale = written.has_scale() ? written.scale() : 1,
                              .offset = written.offset()};
  if (!(conversion.clip_min <= conversion.clip_max)) {
    return Wrong(path + ".clip_max", "must not be below clip_min");
  }
  if (!std::isfinite(conversion.scale) || conversion.scale == 0) {
    return Wrong(path + ".scale", "must be finite and not 0, or the value would not count");
  }
  if (!std::isfinite(conversion.offset)) return Wrong(path + ".offset", "must be finite");
  return conversion;
}

absl::StatusOr<size_t> ScanSize(const std::string& path, const v1::InputBinding& input) {
  if (!input.has_scan()) return Wrong(path, "must have scan: how to resample it");
  const v1::ScanResample& scan = input.scan();
  if (scan.sectors() == 0 || scan.sectors() > kMaxSectors) {
    return Wrong(path + ".scan.sectors", "must be 1 to %d, is %d", kMaxSectors, scan.sectors());
  }
  const double angle = scan.to_rad() - scan.from_rad();
  if (!(angle > 0 && angle <= kTwoPi + 1e-9)) {
    return Wrong(path + ".scan.to_rad", "must be above from_rad by at most a full turn");
  }
  RETURN_IF_ERROR(
      CheckPositive(path + ".scan.range_max_m", scan.range_max_m(), "it is a distance"));
  return size_t{scan.sectors()};
}

absl::StatusOr<size_t> ImageSize(const std::string& path, const v1::InputBinding& input) {
  if (!input.has_image()) return Wrong(path, "must have image: how to resample it");
  const v1::ImageResample& image = input.image();
  if (image.width() == 0 || image.width() > kMaxSide || image.height() == 0 ||
      image.height() > kMaxSide) {
    return Wrong(path + ".image", "must be 1 to %d pixels wide and high", kMaxSide);
  }
  if (image.color() != "mono" && image.color() != "rgb") {
    return Wrong(path + ".image.color", "must be mono or rgb, is '%s'", image.color());
  }
  return size_t{image.width()} * image.height() * (image.color() == "rgb" ? 3 : 1);
}

absl::StatusOr<std::vector<size_t>> FieldsOf(const std::string& path, const v1::InputBinding& input,
                                             const std::vector<std::string>& known) {
  std::vector<size_t> fields;
  for (int i = 0; i < input.fields_size(); ++i) {
    const auto found = std::find(known.begin(), known.end(), input.fields(i));
    if (found == known.end()) {
      return Wrong(absl::StrFormat("%s.fields[%d]", path, i), "must be one of %s, is '%s'",
                   absl::StrJoin(known, ", "), input.fields(i));
    }
    fields.push_back(static_cast<size_t>(found - known.begin()));
  }
  if (fields.empty() && known.size() == 1) fields.push_back(0);
  if (fields.empty()) {
    return Wrong(path + ".fields", "must name fields of the channel: %s",
                 absl::StrJoin(known, ", "));
  }
  return fields;
}

}  // namespace

// Reads a card once; both SignatureFor and Binding::Compile are views of what it found.
class BindingCompiler {
 public:
  BindingCompiler(const v1::ModelCard& card, const Policy& policy) : card_(card), policy_(policy) {}

  absl::Status Read() {
    if (card_.schema() != "model_card/1") {
      return Wrong("schema", "must be model_card/1, is '%s'", card_.schema());
    }
    if (card_.inputs().empty()) return Wrong("inputs", "must be given");
    if (card_.outputs().empty()) return Wrong("outputs", "must be given");
    const auto providers = base::ParseProviders(
        {card_.execution_providers().begin(), card_.execution_providers().end()});
    if (!providers.ok()) {
      return Wrong("execution_providers", "%s", std::string(providers.status().message()));
    }
    binding_.fields_ = policy_.command().fields.size();
    for (int i = 0; i < card_.inputs_size(); ++i) {
      RETURN_IF_ERROR(Input(card_.inputs(i), absl::StrFormat("inputs[%d]", i)));
    }
    for (int i = 0; i < card_.outputs_size(); ++i) {
      RETURN_IF_ERROR(Output(card_.outputs(i), absl::StrFormat("outputs[%d]", i)));
    }
    return CheckFields();
  }

  base::ModelSignature TakeSignature() { return std::move(signature_); }

  absl::StatusOr<Binding> BindTo(const base::ModelSignature& actual) {
    ASSIGN_OR_RETURN(const std::vector<size_t> inputs,
                     Match("inputs", signature_.inputs, actual.inputs, Sizes::kEqual));
    ASSIGN_OR_RETURN(const std::vector<size_t> outputs,
                     Match("outputs", signature_.outputs, actual.outputs, Sizes::kAtLeast));
    for (Binding::Block& block : binding_.blocks_) block.tensor = inputs[block.tensor];
    for (Binding::Element& element : binding_.elements_) element.tensor = outputs[element.tensor];
    for (const auto& tensor : actual.inputs) binding_.input_sizes_.push_back(tensor.elements());
    for (const auto& tensor : actual.outputs) binding_.output_sizes_.push_back(tensor.elements());
    return std::move(binding_);
  }

 private:
  enum class Sizes { kEqual, kAtLeast };

  absl::Status Input(const v1::InputBinding& input, const std::string& path) {
    if (input.tensor().empty()) return Wrong(path + ".tensor", "must be given");
    const InputLimits* rule = policy_.FindInput(input.channel());
    if (rule == nullptr || !rule->required) {
      return Wrong(path + ".channel",
                   "must be a required input of the control policy, '%s' is not: its age would go "
                   "unchecked",
                   input.channel());
    }
    Binding::Block block;
    block.channel = input.channel();
    ASSIGN_OR_RETURN(block.conversion, ConversionOf(path, input));
    RETURN_IF_ERROR(SourceOf(input, path, block));
    base::TensorSpec& tensor = TensorNamed(signature_.inputs, input.tensor(), block.tensor);
    const bool first = tensor.shape.empty();
    if (first && block.source == ChannelKind::kImage) {
      tensor.shape = {1, input.image().color() == "rgb" ? 3 : 1, input.image().height(),
                      input.image().width()};
    } else {
      block.begin = first ? 0 : tensor.elements();
      tensor.shape = {1, static_cast<int64_t>(block.begin + block.size)};
    }
    binding_.blocks_.push_back(std::move(block));
    return absl::OkStatus();
  }

  absl::Status SourceOf(const v1::InputBinding& input, const std::string& path,
                        Binding::Block& block) {
    const std::string& channel = input.channel();
    if (channel != "scan" && input.has_scan()) return Wrong(path + ".scan", "is for channel scan");
    if (channel != "image" && input.has_image()) {
      return Wrong(path + ".image", "is for channel image");
    }
    if (channel == "scan") {
      block.source = ChannelKind::kScan;
      ASSIGN_OR_RETURN(block.size, ScanSize(path, input));
      block.scan.emplace(input.scan());
      return NoFields(input, path);
    }
    if (channel == "image") {
      block.source = ChannelKind::kImage;
      ASSIGN_OR_RETURN(block.size, ImageSize(path, input));
      block.image.emplace(input.image(), block.conversion);
      return NoFields(input, path);
    }
    const bool joints = channel == "joints";
    if (joints && policy_.command().type != CommandType::kJoints) {
      return Wrong(path + ".channel", "joints needs command type joints, which names them");
    }
    block.source = channel == "odom"  ? ChannelKind::kOdom
                   : channel == "imu" ? ChannelKind::kImu
                   : joints           ? ChannelKind::kJoints
                                      : ChannelKind::kSignal;
    const std::vector<std::string>& known = channel == "odom"  ? kOdomFields
                                            : channel == "imu" ? kImuFields
                                            : joints           ? kJointFields
                                                               : kSignalFields;
    ASSIGN_OR_RETURN(block.fields, FieldsOf(path, input, known));
    block.size = block.fields.size() * (joints ? binding_.fields_ : 1);
    return absl::OkStatus();
  }

  static absl::Status NoFields(const v1::InputBinding& input, const std::string& path) {
    if (input.fields().empty()) return absl::OkStatus();
    return Wrong(path + ".fields", "does not belong to channel %s", input.channel());
  }

  absl::Status Output(const v1::OutputBinding& output, const std::string& path) {
    if (output.tensor().empty()) return Wrong(path + ".tensor", "must be given");
    if (output.index() >= kMaxOutput) {
      return Wrong(path + ".index", "must be below %d, is %d", kMaxOutput, output.index());
    }
    const std::vector<std::string>& fields = policy_.command().fields;
    const auto field = std::find(fields.begin(), fields.end(), output.field());
    const auto own = std::find(kOwnFields.begin(), kOwnFields.end(), output.field());
    if (field == fields.end() && own == kOwnFields.end()) {
      return Wrong(path + ".field",
                   "must be a command field (%s), confidence or uncertainty, is '%s'",
                   absl::StrJoin(fields, ", "), output.field());
    }
    if (!bound_.insert(output.field()).second) {
      return Wrong(path + ".field", "must be bound once, '%s' is bound twice", output.field());
    }
    Binding::Element element;
    element.index = output.index();
    element.field = static_cast<size_t>(field - fields.begin());
    if (field == fields.end()) element.field += static_cast<size_t>(own - kOwnFields.begin());
    ASSIGN_OR_RETURN(element.conversion, ConversionOf(path, output));
    RETURN_IF_ERROR(CheckDoubts(path, output.field(), element.conversion, policy_));
    base::TensorSpec& tensor = TensorNamed(signature_.outputs, output.tensor(), element.tensor);
    const int64_t reach = int64_t{output.index()} + 1;
    tensor.shape = {1, tensor.shape.empty() ? reach : std::max(tensor.shape[1], reach)};
    binding_.elements_.push_back(element);
    return absl::OkStatus();
  }

  absl::Status CheckFields() const {
    for (const std::string& field : policy_.command().fields) {
      if (!bound_.contains(field)) return Wrong("outputs", "must bind command field '%s'", field);
    }
    if (policy_.confidence() && !bound_.contains("confidence")) {
      return Wrong("outputs", "must bind confidence, which the control policy judges");
    }
    if (policy_.uncertainty() && !bound_.contains("uncertainty")) {
      return Wrong("outputs", "must bind uncertainty, which the control policy judges");
    }
    return absl::OkStatus();
  }

  static base::TensorSpec& TensorNamed(std::vector<base::TensorSpec>& tensors,
                                       const std::string& name, size_t& index) {
    for (index = 0; index < tensors.size(); ++index) {
      if (tensors[index].name == name) return tensors[index];
    }
    tensors.push_back({.name = name, .shape = {}});
    return tensors.back();
  }

  // For each tensor of the card its index in the model; every tensor of the model must be wanted.
  static absl::StatusOr<std::vector<size_t>> Match(const std::string& path,
                                                   const std::vector<base::TensorSpec>& wanted,
                                                   const std::vector<base::TensorSpec>& actual,
                                                   Sizes sizes) {
    std::vector<size_t> found;
    for (const base::TensorSpec& tensor : wanted) {
      const auto same = std::find_if(actual.begin(), actual.end(),
                                     [&](const auto& other) { return other.name == tensor.name; });
      if (same == actual.end())
        return Wrong(path, "name tensor '%s', which the model does not have", tensor.name);
      const bool fits = sizes == Sizes::kEqual ? same->elements() == tensor.elements()
                                               : same->elements() >= tensor.elements();
      if (!fits) {
        return Wrong(path, "give tensor '%s' %d elements, the model's has %d", tensor.name,
                     tensor.elements(), same->elements());
      }
      found.push_back(static_cast<size_t>(same - actual.begin()));
    }
    if (sizes == Sizes::kEqual && found.size() != actual.size()) {
      return Wrong(path, "fill %d tensors, the model has %d", found.size(), actual.size());
    }
    return found;
  }

  const v1::ModelCard& card_;
  const Policy& policy_;
  std::set<std::string> bound_;
  base::ModelSignature signature_;
  Binding binding_;
};

absl::StatusOr<base::ModelSignature> SignatureFor(const v1::ModelCard& card, const Policy& policy) {
  BindingCompiler compiler(card, policy);
  RETURN_IF_ERROR(compiler.Read());
  return compiler.TakeSignature();
}

absl::StatusOr<Binding> Binding::Compile(const v1::ModelCard& card, const Policy& policy,
                                         const base::ModelSignature& signature) {
  BindingCompiler compiler(card, policy);
  RETURN_IF_ERROR(compiler.Read());
  return compiler.BindTo(signature);
}

bool Binding::InputsFit(base::Model& model) const {
  for (size_t i = 0; i < input_sizes_.size(); ++i) {
    if (model.input(i).size() != input_sizes_[i]) return false;
  }
  return true;
}

bool Binding::OutputsFit(const base::Model& model) const {
  for (size_t i = 0; i < output_sizes_.size(); ++i) {
    if (model.output(i).size() != output_sizes_[i]) return false;
  }
  return true;
}

bool Binding::Fill(const InputBoard& board, base::Model& model) const {
  for (const Block& block : blocks_) {
    if (!FillBlock(block, board, model.input(block.tensor).subspan(block.begin, block.size))) {
      return false;
    }
  }
  return true;
}

bool Binding::FillBlock(const Block& block, const InputBoard& board,
                        std::span<float> target) const {
  if (block.source == ChannelKind::kSignal) {
    const SignalEntry* entry = board.FindSignal(block.channel);
    if (entry == nullptr || !entry->record.seen) return false;
    std::fill(target.begin(), target.end(), block.conversion.In(entry->value));
    return true;
  }
  if (!board.RecordOf(block.source).seen) return false;
  size_t at = 0;
  switch (block.source) {
    case ChannelKind::kScan:
      block.scan->Fill(board.scan(), block.conversion, target);
      return true;
    case ChannelKind::kImage:
      block.image->Fill(board.image(), target);
      return true;
    case ChannelKind::kOdom:
      for (size_t field : block.fields) {
        target[at++] = block.conversion.In(OdomField(board.odom(), field));
      }
      return true;
    case ChannelKind::kImu:
      for (size_t field : block.fields) {
        target[at++] = block.conversion.In(ImuField(board.imu(), field));
      }
      return true;
    default:  // kJoints
      for (size_t field : block.fields) {
        const auto& values = field == 0 ? board.joints().q_rad() : board.joints().qd_radps();
        if (static_cast<size_t>(values.size()) != fields_) return false;
        for (double value : values) target[at++] = block.conversion.In(value);
      }
      return true;
  }
}

bool Binding::Read(const base::Model& model, std::vector<double>& raw, SelfReport& report) const {
  raw.resize(fields_);
  report = {};
  bool finite = true;
  for (const Element& element : elements_) {
    const double value = static_cast<double>(model.output(element.tensor)[element.index]);
    finite = finite && std::isfinite(value);
    // Adding 0 turns a negative zero into a positive one.
    const double converted = element.conversion.Out(value) + 0.0;
    finite = finite && std::isfinite(converted);
    if (element.field < fields_) {
      raw[element.field] = converted;
    } else {
      (element.field == fields_ ? report.confidence : report.uncertainty) = converted;
    }
  }
  return finite;
}

}  // namespace agent::runtime
