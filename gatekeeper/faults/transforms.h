#pragma once

#include <memory>

#include "gatekeeper/faults/spec.h"
#include "gatekeeper/faults/stream.h"

// The transforms behind the catalogue's rows, one maker a row; what each does stands in
// catalogue.cc.

namespace gatekeeper::faults {

using Maker = std::unique_ptr<Transform> (*)(const Spec& spec);

// How messages come: delivery.cc.
std::unique_ptr<Transform> DropOne(const Spec& spec);
std::unique_ptr<Transform> DropSome(const Spec& spec);
std::unique_ptr<Transform> DropBurst(const Spec& spec);
std::unique_ptr<Transform> DropAll(const Spec& spec);
std::unique_ptr<Transform> HalveRate(const Spec& spec);
std::unique_ptr<Transform> FreezePayload(const Spec& spec);
std::unique_ptr<Transform> FreezeMessage(const Spec& spec);
std::unique_ptr<Transform> DelayConstant(const Spec& spec);
std::unique_ptr<Transform> DelayJitter(const Spec& spec);
std::unique_ptr<Transform> DelayGrowing(const Spec& spec);
std::unique_ptr<Transform> Reorder(const Spec& spec);
std::unique_ptr<Transform> Duplicate(const Spec& spec);
std::unique_ptr<Transform> LoadBus(const Spec& spec);

// What their stamps say: clocks.cc.
std::unique_ptr<Transform> JumpAhead(const Spec& spec);
std::unique_ptr<Transform> JumpBack(const Spec& spec);
std::unique_ptr<Transform> WrapStamps(const Spec& spec);
std::unique_ptr<Transform> ZeroStamps(const Spec& spec);
std::unique_ptr<Transform> FutureStamps(const Spec& spec);
std::unique_ptr<Transform> DriftClock(const Spec& spec);
std::unique_ptr<Transform> TwoClocks(const Spec& spec);
std::unique_ptr<Transform> StepTime(const Spec& spec);

// What they hold: values.cc.
std::unique_ptr<Transform> FillNan(const Spec& spec);
std::unique_ptr<Transform> FillInfinite(const Spec& spec);
std::unique_ptr<Transform> FillDenormal(const Spec& spec);
std::unique_ptr<Transform> FillLargest(const Spec& spec);
std::unique_ptr<Transform> FlipBits(const Spec& spec);
std::unique_ptr<Transform> Truncate(const Spec& spec);
std::unique_ptr<Transform> Lengthen(const Spec& spec);
std::unique_ptr<Transform> AddNoise(const Spec& spec);
std::unique_ptr<Transform> AddBias(const Spec& spec);
std::unique_ptr<Transform> BlackOut(const Spec& spec);
std::unique_ptr<Transform> BlackOutHalf(const Spec& spec);
std::unique_ptr<Transform> SoilWindow(const Spec& spec);
std::unique_ptr<Transform> ShiftFrame(const Spec& spec);
std::unique_ptr<Transform> FreezePose(const Spec& spec);

// What people do to the robot: people.cc.
std::unique_ptr<Transform> HoldButton(const Spec& spec);
std::unique_ptr<Transform> TapButton(const Spec& spec);
std::unique_ptr<Transform> Push(const Spec& spec);

}  // namespace gatekeeper::faults
