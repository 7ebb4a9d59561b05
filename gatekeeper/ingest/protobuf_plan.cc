#include "gatekeeper/ingest/protobuf_plan.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/field_path.h"
#include "gatekeeper/ingest/protobuf_wire.h"

namespace gatekeeper::ingest {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Slots = std::vector<size_t>;

// One field of one message that a path goes to or through.
struct Entry {
  uint32_t number = 0;
  FieldDescriptor::Type type = FieldDescriptor::TYPE_INT32;
  bool repeated = false;
  size_t counter = 0;  // which of the run's counters numbers its places
  Slots whole;         // the value, or the whole array
  struct Place {
    uint32_t index = 0;  // 0 of a field that is not repeated
    Slots slots;
    std::optional<size_t> node;
  };
  std::vector<Place> places;
  Entry::Place& At(uint32_t index) {
    for (Place& place : places) {
      if (place.index == index) return place;
    }
    return places.emplace_back(Place{.index = index, .slots = {}, .node = std::nullopt});
  }
};

struct Node {
  std::vector<Entry> entries;
  Slots marks;  // present as soon as the message is, whatever it holds
};

class NodeCompiler {
 public:
  absl::Status Add(const Descriptor& root, const std::string& path, size_t slot) {
    ASSIGN_OR_RETURN(const std::vector<PathPart> parts, ParsePath(path));
    const Descriptor* type = &root;
    size_t node = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      ASSIGN_OR_RETURN(const FieldDescriptor* field, FieldOf(*type, parts[i], path));
      if (i + 1 == parts.size()) return AddLast(node, *field, parts[i], path, slot);
      if (field->type() != FieldDescriptor::TYPE_MESSAGE) {
        return Wrong(path, *field, "has no fields inside");
      }
      if (field->is_repeated() && !parts[i].index) {
        return Wrong(path, *field, "is an array; say which, as in " + parts[i].name + "[0]");
      }
      node = Inside(node, *field, parts[i].index.value_or(0));
      type = field->message_type();
    }
    return absl::OkStatus();
  }

  std::vector<Node> nodes{1};
  size_t counters = 0;

 private:
  static absl::Status Wrong(std::string_view path, const FieldDescriptor& field,
                            std::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrFormat("field path '%s': '%s' %s", path, field.full_name(), why));
  }

  static absl::StatusOr<const FieldDescriptor*> FieldOf(const Descriptor& type,
                                                        const PathPart& part,
                                                        std::string_view path) {
    const FieldDescriptor* field = type.FindFieldByName(part.name);
    if (field == nullptr) {
      std::vector<std::string> known;
      for (int i = 0; i < type.field_count(); ++i) known.push_back(type.field(i)->name());
      return NoSuchField(path, part.name, type.full_name(), known);
    }
    if (field->type() == FieldDescriptor::TYPE_GROUP) {
      return absl::UnimplementedError(absl::StrFormat(
          "field path '%s': %s is a group, which is not read", path, field->full_name()));
    }
    if (part.index && !field->is_repeated()) return Wrong(path, *field, "is no array");
    return field;
  }

  absl::Status AddLast(size_t node, const FieldDescriptor& field, const PathPart& part,
                       std::string_view path, size_t slot) {
    const bool array = field.is_repeated() && !part.index;
    if (field.type() == FieldDescriptor::TYPE_MESSAGE &&
        (array || !IsMoment(*field.message_type()))) {
      return Wrong(path, field, "is no value; name a field of it");
    }
    Entry& entry = EntryOf(node, field);
    if (part.index) {
      entry.At(*part.index).slots.push_back(slot);
    } else {
      entry.whole.push_back(slot);
    }
    if (array || (!field.is_repeated() && !field.has_presence())) nodes[node].marks.push_back(slot);
    return absl::OkStatus();
  }

  Entry& EntryOf(size_t node, const FieldDescriptor& field) {
    for (Entry& entry : nodes[node].entries) {
      if (entry.number == static_cast<uint32_t>(field.number())) return entry;
    }
    return nodes[node].entries.emplace_back(Entry{.number = static_cast<uint32_t>(field.number()),
                                                  .type = field.type(),
                                                  .repeated = field.is_repeated(),
                                                  .counter = counters++,
                                                  .whole = {},
                                                  .places = {}});
  }

  size_t Inside(size_t node, const FieldDescriptor& field, uint32_t index) {
    Entry::Place& place = EntryOf(node, field).At(index);
    if (!place.node) place.node = nodes.size();
    const size_t inside = *place.node;
    if (inside == nodes.size()) nodes.emplace_back();
    return inside;
  }
};

class Run {
 public:
  Run(const std::vector<Node>& nodes, size_t counters, std::vector<FieldValue>& values)
      : nodes_(nodes), counts_(counters), values_(values) {}

  bool Message(size_t index, std::string_view bytes) {
    const Node& node = nodes_[index];
    for (const size_t slot : node.marks) values_[slot].present = true;
    ProtobufWire wire(bytes);
    while (!wire.done()) {
      ProtobufWire::Tag tag;
      if (!wire.ReadTag(tag)) return false;
      const Entry* entry = Find(node, tag.number);
      if (entry == nullptr ? !wire.Skip(tag) : !Read(*entry, tag, wire)) return false;
    }
    return true;
  }

 private:
  static const Entry* Find(const Node& node, uint32_t number) {
    for (const Entry& entry : node.entries) {
      if (entry.number == number) return &entry;
    }
    return nullptr;
  }

  bool Read(const Entry& entry, ProtobufWire::Tag tag, ProtobufWire& wire) {
    const WireType natural = WireTypeOf(entry.type);
    if (natural == WireType::kLength) {
      std::string_view bytes;
      return tag.wire == natural && wire.ReadLength(bytes) && Bytes(entry, bytes);
    }
    if (tag.wire == WireType::kLength && entry.repeated) {
      std::string_view packed;
      return wire.ReadLength(packed) && Packed(entry, natural, packed);
    }
    uint64_t raw = 0;
    if (tag.wire != natural || !wire.ReadScalar(natural, raw)) return false;
    Scalar(entry, raw);
    return true;
  }

  bool Packed(const Entry& entry, WireType natural, std::string_view packed) {
    if (natural != WireType::kVarint) {
      const size_t size = natural == WireType::kFixed64 ? 8 : 4;
      if (packed.size() % size != 0) return false;
      for (const size_t slot : entry.whole) {
        std::vector<double>& numbers = values_[slot].numbers;
        numbers.reserve(numbers.size() + packed.size() / size);
      }
    }
    if (entry.places.empty() && natural == WireType::kFixed64 &&
        entry.type == FieldDescriptor::TYPE_DOUBLE) {
      for (const size_t slot : entry.whole) AppendDoubles(packed, values_[slot].numbers);
      return true;
    }
    ProtobufWire wire(packed);
    while (!wire.done()) {
      uint64_t raw = 0;
      if (!wire.ReadScalar(natural, raw)) return false;
      Scalar(entry, raw);
    }
    return true;
  }

  static void AppendDoubles(std::string_view packed, std::vector<double>& numbers) {
    const size_t before = numbers.size();
    numbers.resize(before + packed.size() / sizeof(double));
    if (!packed.empty()) std::memcpy(&numbers[before], packed.data(), packed.size());
  }

  void Scalar(const Entry& entry, uint64_t raw) {
    const uint32_t at = counts_[entry.counter]++;
    for (const size_t slot : entry.whole) {
      FieldValue& value = values_[slot];
      if (entry.repeated) {
        value.numbers.push_back(NumberOf(entry.type, raw));
      } else {
        SetScalar(entry.type, raw, value);
      }
    }
    for (const Entry::Place& place : entry.places) {
      if (place.index != at) continue;
      for (const size_t slot : place.slots) SetScalar(entry.type, raw, values_[slot]);
    }
  }

  bool Bytes(const Entry& entry, std::string_view bytes) {
    const uint32_t at = entry.repeated ? counts_[entry.counter]++ : 0;
    for (const size_t slot : entry.whole) {
      if (entry.repeated) {
        values_[slot].texts.push_back(bytes);
      } else if (!Leaf(entry, bytes, values_[slot])) {
        return false;
      }
    }
    for (const Entry::Place& place : entry.places) {
      if (place.index != at) continue;
      for (const size_t slot : place.slots) {
        if (!Leaf(entry, bytes, values_[slot])) return false;
      }
      if (place.node && !Message(*place.node, bytes)) return false;
    }
    return true;
  }

  static bool Leaf(const Entry& entry, std::string_view bytes, FieldValue& value) {
    value.present = true;
    if (entry.type == FieldDescriptor::TYPE_MESSAGE) return ReadMoment(bytes, value);
    value.text = bytes;
    return true;
  }

  const std::vector<Node>& nodes_;
  std::vector<uint32_t> counts_;
  std::vector<FieldValue>& values_;
};

class ProtobufPlan final : public FieldPlan {
 public:
  ProtobufPlan(std::vector<Node> nodes, size_t counters, size_t slots, std::string type)
      : nodes_(std::move(nodes)), counters_(counters), slots_(slots), type_(std::move(type)) {}

  absl::Status Read(std::string_view message, std::vector<FieldValue>& values) const override {
    Clear(slots_, values);
    if (Run(nodes_, counters_, values).Message(0, message)) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrFormat("the message's %d bytes are no %s", message.size(), type_));
  }

 private:
  std::vector<Node> nodes_;
  size_t counters_;
  size_t slots_;
  std::string type_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FieldPlan>> CompileProtobufPlan(
    const ProtobufSchema& schema, const std::vector<std::string>& paths) {
  NodeCompiler compiler;
  for (size_t slot = 0; slot < paths.size(); ++slot) {
    RETURN_IF_ERROR(compiler.Add(*schema.type, paths[slot], slot));
  }
  return std::make_unique<ProtobufPlan>(std::move(compiler.nodes), compiler.counters, paths.size(),
                                        schema.type->full_name());
}

bool IsMoment(const Descriptor& type) {
  return type.full_name() == "google.protobuf.Timestamp" ||
         type.full_name() == "google.protobuf.Duration";
}

}  // namespace gatekeeper::ingest
