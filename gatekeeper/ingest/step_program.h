#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/field_plan.h"
#include "gatekeeper/ingest/message_type.h"

namespace gatekeeper::ingest {

// How to pass over the messages of one type and pick what is wanted on the way. CDR, ROS 1 and ULog
// differ in alignment only: the steps are the same.
struct StepProgram {
  // A value that the step finds, and where it goes.
  struct Take {
    enum class What : uint8_t { kValue, kArray, kMoment, kAppended };
    What what = What::kValue;
    Kind kind = Kind::kBool;
    bool signed_nanoseconds = false;  // of kMoment
    size_t slot = 0;
    uint32_t offset = 0;  // of kFixed: bytes from the step's begin; of kNumbers: which place
    uint32_t count = 0;   // of kArray in kFixed
  };
  enum class Op : uint8_t {
    kFixed,    // neighbours of known size, aligned once
    kText,     // a string
    kNumbers,  // a sequence of numbers
    kLoop,     // an array of strings or messages
  };
  struct Step {
    Op op = Op::kFixed;
    uint8_t align = 1;
    Kind kind = Kind::kBool;  // of kNumbers
    bool counted = false;     // kLoop: the message tells how many
    uint32_t count = 0;       // how many; or, if counted, at most so many, 0 for any number
    uint64_t size = 0;        // of kFixed: bytes; of kNumbers and kLoop: of a place, at least
    size_t body = 0;          // of kLoop: the block of most places ...
    std::vector<std::pair<uint32_t, size_t>> bodies = {};  // ... and of those that are wanted
    std::vector<Take> takes = {};
    std::vector<size_t> marks =
        {};  // slots of kLoop that are present however many places there are
  };
  std::vector<std::vector<Step>> blocks;
  size_t root = 0;
  uint64_t spare = 0;  // bytes that may follow the last field
};

// kUnimplemented: the type holds a wstring, which DDS implementations write differently.
absl::StatusOr<StepProgram> CompileSteps(const TypeTree& tree, const Want& wanted, Wire wire);

// The plan that runs one. `type` is named in errors.
std::unique_ptr<FieldPlan> MakeStepPlan(StepProgram program, Wire wire, size_t slots,
                                        std::string type);

// Fields that mean nothing and stand last may be left out: ULog writes no padding at the end, and
// some writers give a message without fields no byte. How many remain.
size_t WrittenFields(const MessageType& type);
// Bytes that may follow those: padding of the message as a whole.
uint64_t SpareBytes(const TypeTree& tree, Wire wire);

}  // namespace gatekeeper::ingest
