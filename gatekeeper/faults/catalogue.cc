#include "gatekeeper/faults/catalogue.h"

#include <algorithm>

#include "gatekeeper/faults/transforms.h"

namespace gatekeeper::faults {
namespace {

bool IsLong(const std::string& channel) {
  return channel == "scan" || channel == "image" || channel == "joints";
}
bool IsSeen(const std::string& channel) { return channel == "scan" || channel == "image"; }
bool IsScan(const std::string& channel) { return channel == "scan"; }
bool IsJoints(const std::string& channel) { return channel == "joints"; }
bool IsOdom(const std::string& channel) { return channel == "odom"; }
bool IsNumbers(const std::string& channel) { return channel != "image"; }

using enum Hurts;
using enum Onset;
constexpr char kCircuit[] = "circuit";
constexpr char kFirmware[] = "firmware";
constexpr char kInTheModel[] = "model";

constexpr Entry kEntries[] = {
    // Delivery.
    {"drop_one", kChannel, kAbrupt, kFirmware, "one message is lost", nullptr, DropOne},
    {"drop_some", kChannel, kGradual, kFirmware, "each message is lost with probability 1/3",
     nullptr, DropSome},
    {"drop_burst", kChannel, kAbrupt, kFirmware, "of every 8 messages 4 in a row are lost", nullptr,
     DropBurst},
    {"drop_all", kChannel, kAbrupt, kFirmware, "the channel is silent", nullptr, DropAll},
    {"rate_halved", kChannel, kAbrupt, kFirmware, "every other message is lost", nullptr,
     HalveRate},
    {"freeze_payload", kChannel, kAbrupt, kFirmware, "the last values come again under new stamps",
     nullptr, FreezePayload},
    {"freeze_message", kChannel, kAbrupt, kFirmware, "the last message comes again and again",
     nullptr, FreezeMessage},
    {"delay_constant", kChannel, kAbrupt, kFirmware, "every message is 0.6 s late", nullptr,
     DelayConstant},
    {"delay_jitter", kChannel, kGradual, kFirmware, "every message is up to 0.3 s late", nullptr,
     DelayJitter},
    {"delay_growing", kChannel, kGradual, kFirmware,
     "messages fall behind by half a second a second", nullptr, DelayGrowing},
    {"reorder", kChannel, kGradual, kFirmware, "each second message overtakes the one before",
     nullptr, Reorder},
    {"duplicate", kChannel, kAbrupt, kFirmware, "every message comes twice", nullptr, Duplicate},
    {"bus_load", kRobot, kGradual, kFirmware,
     "a bus at 95 %: packets wait for up to 0.1 s, 5 % are lost", nullptr, LoadBus},
    // Clocks.
    {"stamp_jump_ahead", kChannel, kAbrupt, kFirmware, "the sender's clock jumps ahead by 5 s",
     nullptr, JumpAhead},
    {"stamp_jump_back", kChannel, kAbrupt, kFirmware, "the sender's clock jumps back by 5 s",
     nullptr, JumpBack},
    {"stamp_wrap", kChannel, kAbrupt, kFirmware, "the sender's counter begins again at 0", nullptr,
     WrapStamps},
    {"stamp_zero", kChannel, kAbrupt, kFirmware, "messages carry no stamp", nullptr, ZeroStamps},
    {"stamp_future", kChannel, kAbrupt, kFirmware, "messages are stamped in the year 2100", nullptr,
     FutureStamps},
    {"clock_drift", kChannel, kGradual, kFirmware, "the sender's clock is 200 ppm fast", nullptr,
     DriftClock},
    {"two_clocks", kChannel, kGradual, kFirmware, "two clocks 0.8 s apart stamp in turn", nullptr,
     TwoClocks},
    {"time_step", kRobot, kAbrupt, kFirmware, "the robot's clock is set back by 2 s", nullptr,
     StepTime},
    // Values.
    {"nan", kChannel, kAbrupt, kFirmware, "every value is not a number", IsNumbers, FillNan},
    {"infinite", kChannel, kAbrupt, kFirmware, "every value is infinite", IsNumbers, FillInfinite},
    {"denormal", kChannel, kAbrupt, kFirmware, "every value is the least above 0", IsNumbers,
     FillDenormal},
    {"all_max", kChannel, kAbrupt, kFirmware, "every value is the largest there is", nullptr,
     FillLargest},
    {"bit_flips", kChannel, kGradual, kFirmware, "bits of every message are flipped", nullptr,
     FlipBits},
    {"truncated", kChannel, kAbrupt, kFirmware, "the second half of the array is missing", IsLong,
     Truncate},
    {"too_long", kChannel, kAbrupt, kFirmware, "the array is longer than it should be", IsLong,
     Lengthen},
    {"noise", kChannel, kGradual, kFirmware, "values are noisy", nullptr, AddNoise},
    {"bias", kChannel, kGradual, kFirmware, "values are wrong by a constant", nullptr, AddBias},
    {"blackout", kChannel, kAbrupt, kFirmware, "the laser sees nothing at all", IsScan, BlackOut},
    {"dark_image", kChannel, kGradual, kFirmware, "the picture is black",
     [](const std::string& channel) { return channel == "image"; }, BlackOut},
    {"half_blind", kChannel, kGradual, kFirmware, "one half sees nothing", IsSeen, BlackOutHalf},
    {"dirt", kChannel, kGradual, kFirmware, "a fifth of the window is soiled", IsSeen, SoilWindow},
    {"wrong_frame", kChannel, kAbrupt, kFirmware, "poses are given in another map", IsOdom,
     ShiftFrame},
    {"stale_transform", kChannel, kGradual, kFirmware, "the pose stands while the robot drives",
     IsOdom, FreezePose},
    // Who stands beside it.
    {"estop_held", kRobot, kAbrupt, kCircuit, "the emergency stop button is held down", nullptr,
     HoldButton},
    {"estop_tapped", kRobot, kAbrupt, kCircuit,
     "the emergency stop button is pressed in one packet", nullptr, TapButton},
    {"pushed", kChannel, kAbrupt, kCircuit, "something leans on every joint", IsJoints, Push},
    // The model.
    {"model_hung", kModel, kAbrupt, kInTheModel, "no answer comes in time", nullptr, nullptr},
    {"model_slow", kModel, kGradual, kInTheModel, "every other answer is late", nullptr, nullptr},
    {"model_crashed", kModel, kAbrupt, kInTheModel, "every run fails", nullptr, nullptr},
    {"model_wrong_outputs", kModel, kAbrupt, kFirmware, "answers have too few values", nullptr,
     nullptr},
    {"model_nan", kModel, kAbrupt, kInTheModel, "answers are not numbers", nullptr, nullptr},
    {"model_zero", kModel, kGradual, kInTheModel, "every answer is 0, the model's confidence too",
     nullptr, nullptr},
    {"model_runaway", kModel, kGradual, kInTheModel, "every answer is the largest number", nullptr,
     nullptr},
    // The link.
    {"link_down", kLink, kAbrupt, kFirmware, "the link to the gatekeeper is cut", nullptr, nullptr},
    {"link_lossy", kLink, kGradual, kFirmware, "the link comes and goes", nullptr, nullptr},
    {"link_half_open", kLink, kAbrupt, kFirmware, "the radio says down, the link says up", nullptr,
     nullptr},
    // Power and heat.
    {"heat", kSignal, kAbrupt, kCircuit, "the computer is too hot", nullptr, nullptr},
    {"voltage_sag", kSignal, kAbrupt, kCircuit, "the supply falls by a fifth", nullptr, nullptr},
    {"supply_ripple", kSignal, kAbrupt, kCircuit, "the supply falls by a fifth on every other tick",
     nullptr, nullptr},
    {"throttle_half", kSignal, kAbrupt, kCircuit, "the computer runs at half its speed", nullptr,
     nullptr},
    {"throttle_quarter", kSignal, kAbrupt, kCircuit, "the computer runs at a quarter of its speed",
     nullptr, nullptr},
};

}  // namespace

std::span<const Entry> Catalogue() { return kEntries; }

const Entry* Find(const std::string& id) {
  const auto* const found = std::find_if(std::begin(kEntries), std::end(kEntries),
                                         [&](const Entry& entry) { return id == entry.id; });
  return found == std::end(kEntries) ? nullptr : found;
}

}  // namespace gatekeeper::faults
