#include "tests/gatekeeper/ingest/random_message.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

namespace tests {
namespace {

constexpr const char* kPrimitives[] = {"bool",   "int8",  "uint8",  "int16",   "uint16",  "int32",
                                       "uint32", "int64", "uint64", "float32", "float64", "string",
                                       "byte",   "char",  "time",   "duration"};

}  // namespace

RandomMessage::RandomMessage(uint64_t seed, Layout layout) : random_(seed), layout_(layout) {
  const size_t root = MakeType(0);
  if (layout != Layout::kRos1) {
    bytes_ = layout == Layout::kCdrBig ? std::string("\0\0\0\0", 4) : std::string("\0\1\0\0", 4);
    header_ = bytes_.size();
  }
  WriteMessage(root, "");
}

size_t RandomMessage::MakeType(int depth) {
  Type type;
  const uint64_t fields = 1 + Below(6);
  for (uint64_t i = 0; i < fields; ++i) {
    Field field;
    field.name = "f" + std::to_string(i);
    const uint64_t shape = Below(4);
    field.array = shape == 0 ? -1 : shape == 1 ? static_cast<int>(1 + Below(4)) : 0;
    field.nested = depth < 3 && Below(4) == 0;
    field.type = field.nested ? types_[MakeType(depth + 1)].name
                              : kPrimitives[Below(std::size(kPrimitives))];
    type.fields.push_back(field);
  }
  type.name = "T" + std::to_string(types_.size());
  types_.push_back(type);
  return types_.size() - 1;
}

size_t RandomMessage::Find(const std::string& name) const {
  for (size_t i = 0; i < types_.size(); ++i) {
    if (types_[i].name == name) return i;
  }
  std::abort();
}

gatekeeper::ingest::Topic RandomMessage::topic() const {
  // The root was made last: children are made before their parents.
  gatekeeper::ingest::Topic topic;
  topic.name = "/random";
  topic.message_encoding = layout_ == Layout::kRos1 ? "ros1" : "cdr";
  topic.schema_encoding = layout_ == Layout::kRos1 ? "ros1msg" : "ros2msg";
  for (size_t i = types_.size(); i-- > 0;) {
    if (topic.schema.empty()) {
      topic.type = (layout_ == Layout::kRos1 ? "t/" : "t/msg/") + types_[i].name;
    } else {
      topic.schema += "================\nMSG: t/" + types_[i].name + "\n";
    }
    topic.schema += "# a comment\nint32 SOME_CONSTANT=7\n";
    for (const Field& field : types_[i].fields) {
      topic.schema += field.type;
      if (field.array > 0) topic.schema += "[" + std::to_string(field.array) + "]";
      if (field.array < 0) topic.schema += "[]";
      topic.schema += "  " + field.name + "  # why\n";
    }
  }
  return topic;
}

template <class T>
void RandomMessage::Put(T value) {
  if (layout_ != Layout::kRos1) {
    while ((bytes_.size() - header_) % sizeof(T) != 0) bytes_ += '\x5a';
  }
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  if (layout_ == Layout::kCdrBig) std::reverse(raw, raw + sizeof(T));
  bytes_.append(raw, sizeof(T));
}

template <class T>
void RandomMessage::PutRandom(const std::string& path, Expected* array) {
  T value = 0;
  if constexpr (std::is_floating_point_v<T>) {
    value = static_cast<T>(static_cast<double>(static_cast<int64_t>(random_())) * 1e-7);
  } else if constexpr (std::is_same_v<T, bool>) {
    value = Below(2) == 1;
  } else {
    value = static_cast<T>(random_());
  }
  Put(value);
  Expected one{.path = path, .number = static_cast<double>(value)};
  if constexpr (std::is_integral_v<T>) one.integer = static_cast<int64_t>(value);
  expected_.push_back(one);
  if (array == nullptr) return;
  if (sizeof(T) == 1 && !std::is_same_v<T, bool>) {
    array->text += static_cast<char>(value);
  } else {
    array->numbers.push_back(static_cast<double>(value));
  }
}

void RandomMessage::WritePrimitive(const std::string& type, const std::string& path,
                                   Expected* array) {
  if (type == "bool") return PutRandom<bool>(path, array);
  if (type == "int8") return PutRandom<int8_t>(path, array);
  if (type == "uint8" || type == "char") return PutRandom<uint8_t>(path, array);
  if (type == "byte") {
    if (layout_ == Layout::kRos1) return PutRandom<int8_t>(path, array);
    return PutRandom<uint8_t>(path, array);
  }
  if (type == "int16") return PutRandom<int16_t>(path, array);
  if (type == "uint16") return PutRandom<uint16_t>(path, array);
  if (type == "int32") return PutRandom<int32_t>(path, array);
  if (type == "uint32") return PutRandom<uint32_t>(path, array);
  if (type == "int64") return PutRandom<int64_t>(path, array);
  if (type == "uint64") return PutRandom<uint64_t>(path, array);
  if (type == "float32") return PutRandom<float>(path, array);
  if (type == "float64") return PutRandom<double>(path, array);
  if (type == "string") {
    const std::string text(Below(9), static_cast<char>('a' + Below(26)));
    const bool cdr = layout_ != Layout::kRos1;
    Put(static_cast<uint32_t>(text.size() + (cdr ? 1 : 0)));
    bytes_ += text;
    if (cdr) bytes_ += '\0';
    expected_.push_back({.path = path, .text = text});
    if (array != nullptr) array->texts.push_back(text);
    return;
  }
  // A time or a duration.
  const bool negative = type == "duration" || layout_ != Layout::kRos1;
  const int64_t seconds = static_cast<int64_t>(Below(2'000'000'000)) * (negative ? -1 : 1);
  const int64_t nanoseconds = static_cast<int64_t>(Below(1'000'000'000));
  negative ? Put(static_cast<int32_t>(seconds)) : Put(static_cast<uint32_t>(seconds));
  Put(static_cast<uint32_t>(nanoseconds));
  expected_.push_back(
      {.path = path,
       .number = static_cast<double>(seconds) + static_cast<double>(nanoseconds) * 1e-9,
       .integer = seconds * 1'000'000'000 + nanoseconds});
}

void RandomMessage::WriteOne(const Field& field, const std::string& path, Expected* array) {
  if (field.nested) return WriteMessage(Find(field.type), path + ".");
  WritePrimitive(field.type, path, array);
}

void RandomMessage::WriteField(const Field& field, const std::string& path) {
  if (field.array == 0) return WriteOne(field, path, nullptr);
  uint64_t count = static_cast<uint64_t>(field.array);
  if (field.array < 0) {
    count = Below(5);
    Put(static_cast<uint32_t>(count));
  }
  Expected whole{.path = path};
  for (uint64_t i = 0; i < count; ++i) {
    WriteOne(field, path + "[" + std::to_string(i) + "]", &whole);
  }
  const bool of_values = !field.nested && field.type != "time" && field.type != "duration";
  if (of_values) expected_.push_back(whole);
  if (of_values && field.array < 0) {
    expected_.push_back({.path = path + "[" + std::to_string(count) + "]", .present = false});
  }
}

void RandomMessage::WriteMessage(size_t type, const std::string& prefix) {
  const std::vector<Field> fields = types_[type].fields;
  for (const Field& field : fields) WriteField(field, prefix + field.name);
}

}  // namespace tests
