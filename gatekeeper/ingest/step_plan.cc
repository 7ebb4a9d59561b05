#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/step_program.h"
#include "gatekeeper/ingest/wire_cursor.h"

namespace gatekeeper::ingest {
namespace {

using Step = StepProgram::Step;
using Take = StepProgram::Take;

bool IsByte(Kind kind) { return SizeOf(kind) == 1 && kind != Kind::kBool; }

void TakeValue(const WireCursor& cursor, Kind kind, const char* from, FieldValue& value) {
  value.present = true;
  WithNumber(kind, [&](auto zero) {
    const auto number = cursor.Load<decltype(zero)>(from);
    value.number = static_cast<double>(number);
    if constexpr (std::is_integral_v<decltype(zero)>) value.integer = static_cast<int64_t>(number);
  });
  if (kind == Kind::kBool) {
    value.integer = value.integer != 0 ? 1 : 0;
    value.number = static_cast<double>(value.integer);
  }
  if (kind == Kind::kCharacter) value.text = {from, 1};
}

void TakeMoment(const WireCursor& cursor, const Take& take, const char* from, FieldValue& value) {
  const int64_t seconds = take.kind == Kind::kInt32 ? int64_t{cursor.Load<int32_t>(from)}
                                                    : int64_t{cursor.Load<uint32_t>(from)};
  const int64_t nanoseconds = take.signed_nanoseconds ? int64_t{cursor.Load<int32_t>(from + 4)}
                                                      : int64_t{cursor.Load<uint32_t>(from + 4)};
  value.present = true;
  value.integer = seconds * kSecondNs + nanoseconds;
  value.number = static_cast<double>(seconds) + static_cast<double>(nanoseconds) * 1e-9;
}

void TakeArray(const WireCursor& cursor, Kind kind, const char* from, uint32_t count,
               FieldValue& value) {
  value.present = true;
  if (IsByte(kind)) {
    value.text = {from, count};
    if (kind == Kind::kCharacter) value.text = value.text.substr(0, value.text.find('\0'));
    return;
  }
  value.numbers.resize(count);
  WithNumber(kind, [&](auto zero) {
    using Number = decltype(zero);
    for (uint32_t i = 0; i < count; ++i) {
      value.numbers[i] = static_cast<double>(cursor.Load<Number>(from + i * sizeof(Number)));
    }
  });
  if (kind == Kind::kBool) {
    for (double& number : value.numbers) number = number != 0 ? 1 : 0;
  }
}

class StepRun {
 public:
  StepRun(const StepProgram& program, WireCursor& cursor, std::vector<FieldValue>& values)
      : program_(program), cursor_(cursor), values_(values) {}

  bool Run(size_t block) {
    for (const Step& step : program_.blocks[block]) {
      if (!RunStep(step)) return false;
    }
    return true;
  }

 private:
  bool RunStep(const Step& step) {
    switch (step.op) {
      case StepProgram::Op::kFixed:
        return Fixed(step);
      case StepProgram::Op::kText:
        return Text(step);
      case StepProgram::Op::kNumbers:
        return Numbers(step);
      case StepProgram::Op::kLoop:
        break;
    }
    return Loop(step);
  }

  bool Fixed(const Step& step) {
    const char* from = nullptr;
    if (!cursor_.Take(step.align, step.size, from)) return false;
    for (const Take& take : step.takes) {
      FieldValue& value = values_[take.slot];
      switch (take.what) {
        case Take::What::kMoment:
          TakeMoment(cursor_, take, from + take.offset, value);
          break;
        case Take::What::kArray:
          TakeArray(cursor_, take.kind, from + take.offset, take.count, value);
          break;
        case Take::What::kValue:
        case Take::What::kAppended:
          TakeValue(cursor_, take.kind, from + take.offset, value);
          break;
      }
    }
    return true;
  }

  bool Text(const Step& step) {
    std::string_view text;
    if (!cursor_.TakeText(step.count, text)) return false;
    for (const Take& take : step.takes) {
      FieldValue& value = values_[take.slot];
      value.present = true;
      if (take.what == Take::What::kAppended) {
        value.texts.push_back(text);
      } else {
        value.text = text;
      }
    }
    return true;
  }

  bool Numbers(const Step& step) {
    uint32_t count = 0;
    if (!cursor_.TakeCount(step.count, step.size, count)) return false;
    // An empty sequence ends with its count: no padding up to the number that does not come.
    const char* from = nullptr;
    if (!cursor_.Take(count == 0 ? 1 : step.align, uint64_t{count} * step.size, from)) return false;
    for (const Take& take : step.takes) {
      FieldValue& value = values_[take.slot];
      if (take.what == Take::What::kArray) {
        TakeArray(cursor_, take.kind, from, count, value);
      } else if (take.offset < count) {
        TakeValue(cursor_, take.kind, from + take.offset * step.size, value);
      }
    }
    return true;
  }

  bool Loop(const Step& step) {
    uint32_t count = step.count;
    if (step.counted && !cursor_.TakeCount(step.count, step.size, count)) return false;
    for (const size_t slot : step.marks) values_[slot].present = true;
    for (uint32_t i = 0; i < count; ++i) {
      size_t body = step.body;
      for (const auto& [index, wanted] : step.bodies) {
        if (index == i) body = wanted;
      }
      if (!Run(body)) return false;
    }
    return true;
  }

  const StepProgram& program_;
  WireCursor& cursor_;
  std::vector<FieldValue>& values_;
};

class StepPlan final : public FieldPlan {
 public:
  StepPlan(StepProgram program, Wire wire, size_t slots, std::string type)
      : program_(std::move(program)), wire_(wire), slots_(slots), type_(std::move(type)) {}

  absl::Status Read(std::string_view message, std::vector<FieldValue>& values) const override {
    Clear(slots_, values);
    ASSIGN_OR_RETURN(WireCursor cursor, WireCursor::Open(wire_, message));
    if (!StepRun(program_, cursor, values).Run(program_.root)) {
      return absl::DataLossError(absl::StrFormat(
          "the message's %d bytes are no %s: they end or contradict themselves behind byte %d",
          message.size(), type_, message.size() - cursor.left()));
    }
    if (cursor.left() <= program_.spare) return absl::OkStatus();
    return absl::DataLossError(absl::StrFormat("the message's %d bytes are no %s, which ends at %d",
                                               message.size(), type_,
                                               message.size() - cursor.left()));
  }

 private:
  StepProgram program_;
  Wire wire_;
  size_t slots_;
  std::string type_;
};

}  // namespace

std::unique_ptr<FieldPlan> MakeStepPlan(StepProgram program, Wire wire, size_t slots,
                                        std::string type) {
  return std::make_unique<StepPlan>(std::move(program), wire, slots, std::move(type));
}

}  // namespace gatekeeper::ingest
