#include "gatekeeper/ingest/step_program.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::ingest {
namespace {

using Block = std::vector<StepProgram::Step>;
using Op = StepProgram::Op;
using Take = StepProgram::Take;

// DDS may fill a message up to a multiple of 4 or 8.
constexpr uint64_t kCdrFill = 7;

class StepCompiler {
 public:
  StepCompiler(const TypeTree& tree, Wire wire, StepProgram& program)
      : tree_(tree), wire_(wire), program_(program) {}

  absl::Status Compile(const Want& wanted) {
    const MessageType& root = tree_.types[tree_.root];
    Block block;
    RETURN_IF_ERROR(AddFields(root, WrittenFields(root), &wanted, block));
    program_.root = Keep(std::move(block));
    program_.spare = SpareBytes(tree_, wire_);
    return absl::OkStatus();
  }

 private:
  size_t Keep(Block block) {
    program_.blocks.push_back(std::move(block));
    return program_.blocks.size() - 1;
  }

  absl::Status AddFields(const MessageType& type, size_t count, const Want* want, Block& block) {
    for (size_t i = 0; i < count; ++i) {
      const Want* wanted = want == nullptr ? nullptr : want->Find(static_cast<uint32_t>(i));
      const Field& field = type.fields[i];
      if (field.kind == Kind::kWstring) {
        return absl::UnimplementedError(
            absl::StrFormat("%s.%s is a wstring, which no two implementations of DDS write alike",
                            type.name, field.name));
      }
      if (field.shape == Shape::kOne) {
        RETURN_IF_ERROR(AddOne(field, wanted, block));
      } else if (SizeOf(field.kind) > 0) {
        AddNumbers(field, wanted, block);
      } else {
        RETURN_IF_ERROR(AddLoop(field, wanted, block));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddOne(const Field& field, const Want* want, Block& block) {
    if (field.kind == Kind::kString) {
      block.push_back({.op = Op::kText, .count = field.text_bound});
      AddTakes(want, {.what = Take::What::kValue, .kind = Kind::kString}, block.back());
      return absl::OkStatus();
    }
    if (field.kind == Kind::kMessage) {
      const MessageType& type = tree_.types[field.type];
      RETURN_IF_ERROR(AddFields(type, type.fields.size(), want, block));
      if (want != nullptr) AddMoment(type, *want, block);
      return absl::OkStatus();
    }
    const uint32_t offset = AddFixed(SizeOf(field.kind), SizeOf(field.kind), block);
    AddTakes(want, {.what = Take::What::kValue, .kind = field.kind, .offset = offset},
             block.back());
    return absl::OkStatus();
  }

  // Seconds and nanoseconds have just been added, side by side, as the end of the last step.
  void AddMoment(const MessageType& type, const Want& want, Block& block) {
    if (type.moment == Moment::kNone) return;
    AddTakes(&want,
             {.what = Take::What::kMoment,
              .kind = type.fields[0].kind,
              .signed_nanoseconds = type.fields[1].kind == Kind::kInt32,
              .offset = static_cast<uint32_t>(block.back().size - 8)},
             block.back());
  }

  // Offset in the last step, which is a new one when the neighbours are less aligned.
  uint32_t AddFixed(uint64_t size, size_t unit, Block& block) {
    const uint64_t align = wire_ == Wire::kCdr ? unit : 1;
    if (block.empty() || block.back().op != Op::kFixed || block.back().align < align) {
      block.push_back({.op = Op::kFixed, .align = static_cast<uint8_t>(align)});
    }
    StepProgram::Step& step = block.back();
    const uint64_t offset = (step.size + align - 1) & ~(align - 1);
    step.size = offset + size;
    return static_cast<uint32_t>(offset);
  }

  void AddNumbers(const Field& field, const Want* want, Block& block) {
    const auto unit = static_cast<uint32_t>(SizeOf(field.kind));
    uint32_t offset = 0;
    if (field.shape == Shape::kFixed) {
      offset = AddFixed(uint64_t{unit} * field.count, unit, block);
    } else {
      block.push_back({.op = Op::kNumbers,
                       .align = static_cast<uint8_t>(wire_ == Wire::kCdr ? unit : 1),
                       .kind = field.kind,
                       .count = field.count,
                       .size = unit});
    }
    if (want == nullptr) return;
    const bool fixed = field.shape == Shape::kFixed;
    AddTakes(
        want,
        {.what = Take::What::kArray, .kind = field.kind, .offset = offset, .count = field.count},
        block.back());
    for (const Want::Part& part : want->parts) {
      AddTakes(&part.want,
               {.what = Take::What::kValue,
                .kind = field.kind,
                .offset = fixed ? offset + part.index * unit : part.index},
               block.back());
    }
  }

  absl::Status AddLoop(const Field& field, const Want* want, Block& block) {
    StepProgram::Step step{.op = Op::kLoop,
                           .counted = field.shape == Shape::kSequence,
                           .count = field.count,
                           .size = 4};
    if (field.kind == Kind::kMessage) step.size = tree_.types[field.type].least_bytes;
    ASSIGN_OR_RETURN(step.body, Body(field, want, nullptr));
    if (want != nullptr) {
      step.marks = want->slots;
      for (const Want::Part& part : want->parts) {
        ASSIGN_OR_RETURN(const size_t body, Body(field, want, &part.want));
        step.bodies.emplace_back(part.index, body);
      }
    }
    block.push_back(std::move(step));
    return absl::OkStatus();
  }

  // One place of an array: `all` wants the array as a whole, `here` this place.
  absl::StatusOr<size_t> Body(const Field& field, const Want* all, const Want* here) {
    Field one = field;
    one.shape = Shape::kOne;
    Block body;
    RETURN_IF_ERROR(AddOne(one, here, body));
    if (all != nullptr && field.kind == Kind::kString) {
      AddTakes(all, {.what = Take::What::kAppended, .kind = Kind::kString}, body.back());
    }
    return Keep(std::move(body));
  }

  static void AddTakes(const Want* want, Take take, StepProgram::Step& step) {
    if (want == nullptr) return;
    for (const size_t slot : want->slots) {
      take.slot = slot;
      step.takes.push_back(take);
    }
  }

  const TypeTree& tree_;
  Wire wire_;
  StepProgram& program_;
};

}  // namespace

size_t WrittenFields(const MessageType& type) {
  size_t count = type.fields.size();
  while (count > 0 && type.fields[count - 1].hidden) --count;
  return count;
}

uint64_t SpareBytes(const TypeTree& tree, Wire wire) {
  const MessageType& root = tree.types[tree.root];
  if (wire == Wire::kCdr) return kCdrFill;
  uint64_t bytes = 0;
  for (size_t i = WrittenFields(root); i < root.fields.size(); ++i) {
    const Field& field = root.fields[i];
    bytes += SizeOf(field.kind) * (field.shape == Shape::kFixed ? uint64_t{field.count} : 1);
  }
  return bytes;
}

absl::StatusOr<StepProgram> CompileSteps(const TypeTree& tree, const Want& wanted, Wire wire) {
  StepProgram program;
  RETURN_IF_ERROR(StepCompiler(tree, wire, program).Compile(wanted));
  return program;
}

}  // namespace gatekeeper::ingest
