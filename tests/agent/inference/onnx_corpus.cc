#include "tests/agent/inference/onnx_corpus.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>

#include "agent/inference/wire_reader.h"

namespace tests {
namespace {

namespace fs = std::filesystem;
using agent::inference::WireField;
using agent::inference::WireReader;

constexpr uint64_t kFloat = 1;  // TensorProto.FLOAT

std::string Bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<std::string_view> Fields(std::string_view message, uint32_t id) {
  std::vector<std::string_view> found;
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    if (field.id == id && field.type == WireField::Type::kBytes) found.push_back(field.bytes);
  }
  return found;
}

std::string_view First(std::string_view message, uint32_t id) {
  const auto fields = Fields(message, id);
  return fields.empty() ? std::string_view() : fields[0];
}

uint64_t Number(std::string_view message, uint32_t id) {
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    if (field.id == id && field.type != WireField::Type::kBytes) return field.number;
  }
  return 0;
}

// ValueInfoProto{name=1, type=2{tensor_type=1{elem_type=1}}}
struct Port {
  std::string name;
  bool is_tensor = false;
  uint64_t element = 0;
};

std::vector<Port> Ports(std::string_view graph, uint32_t id) {
  std::set<std::string_view> initialised;
  for (const std::string_view tensor : Fields(graph, 5)) initialised.insert(First(tensor, 8));
  std::vector<Port> ports;
  for (const std::string_view value : Fields(graph, id)) {
    const std::string_view name = First(value, 1);
    const std::string_view type = First(value, 2);
    if (initialised.contains(name)) continue;
    ports.push_back({.name = std::string(name),
                     .is_tensor = !Fields(type, 1).empty(),
                     .element = Number(First(type, 1), 1)});
  }
  return ports;
}

// TensorProto{dims=1, float_data=4, raw_data=9}
void ReadTensor(std::string_view message, CorpusTensor& tensor) {
  WireReader reader(message);
  WireField field;
  std::string floats;
  while (reader.Next(field)) {
    const bool is_bytes = field.type == WireField::Type::kBytes;
    if (field.id == 1 && !is_bytes) {
      tensor.spec.shape.push_back(static_cast<int64_t>(field.number));
    }
    std::string_view packed = field.id == 1 && is_bytes ? field.bytes : std::string_view();
    for (uint64_t dimension = 0; WireReader::TakeVarint(packed, dimension);) {
      tensor.spec.shape.push_back(static_cast<int64_t>(dimension));
    }
    if ((field.id == 4 || field.id == 9) && is_bytes) floats.append(field.bytes);
    if (field.id == 4 && !is_bytes) floats.append(reinterpret_cast<char*>(&field.number), 4);
  }
  tensor.floats.resize(floats.size() / sizeof(float));
  if (tensor.floats.empty()) return;
  std::memcpy(tensor.floats.data(), floats.data(), tensor.floats.size() * sizeof(float));
}

void ReadSide(const fs::path& data, const std::string& side, const std::vector<Port>& ports,
              std::vector<CorpusTensor>& tensors, CorpusCase& one) {
  if (ports.empty()) one.outside = "no " + side;
  for (size_t i = 0; i < ports.size() && !one.outside; ++i) {
    const bool floats = ports[i].is_tensor && ports[i].element == kFloat;
    if (!floats && !one.foreign) one.foreign = {side, ports[i].name, ports[i].element};
    CorpusTensor& tensor = tensors.emplace_back();
    tensor.spec.name = ports[i].name;
    if (!ports[i].is_tensor) {
      tensor.spec.shape = {1};
      continue;
    }
    const std::string file = side + "_" + std::to_string(i) + ".pb";
    if (!fs::exists(data / file)) {
      one.outside = "a data set without its " + file;
      return;
    }
    ReadTensor(Bytes(data / file), tensor);
    if (!floats) tensor.floats.clear();
    if (std::ranges::count(tensor.spec.shape, 0) > 0) {
      one.outside = "an empty " + side;
    } else if (floats && tensor.floats.size() != tensor.spec.elements()) {
      one.outside = "a data set of another shape";
    }
  }
}

CorpusCase ReadCase(const fs::path& folder) {
  CorpusCase one;
  one.name = folder.parent_path().filename() / folder.filename();
  one.onnx = Bytes(folder / "model.onnx");
  const std::string_view graph = First(one.onnx, 7);
  const fs::path data = folder / "test_data_set_0";
  ReadSide(data, "input", Ports(graph, 11), one.inputs, one);
  if (!one.outside) ReadSide(data, "output", Ports(graph, 12), one.outputs, one);
  return one;
}

}  // namespace

agent::base::ModelSignature CorpusCase::signature() const {
  agent::base::ModelSignature signature;
  for (const CorpusTensor& tensor : inputs) signature.inputs.push_back(tensor.spec);
  for (const CorpusTensor& tensor : outputs) signature.outputs.push_back(tensor.spec);
  return signature;
}

std::vector<CorpusCase> ReadCorpus() {
  std::vector<CorpusCase> cases;
  std::error_code absent;
  for (const auto& entry : fs::recursive_directory_iterator(kCorpus, absent)) {
    if (entry.path().filename() == "model.onnx")
      cases.push_back(ReadCase(entry.path().parent_path()));
  }
  std::ranges::sort(cases, {}, &CorpusCase::name);
  return cases;
}

}  // namespace tests
