#pragma once

// Beyond these a number of a policy or of fallback rules would never hold anything back, which
// would switch its check off (S14). They lie well above what robots of the classes here do: who
// meets one has written milliseconds for seconds, or means to go without the check.

namespace agent::runtime {

inline constexpr double kDayMs = 86'400'000;  // where longer is stricter, or another rule bounds it

// --- inputs: what is older than this has nothing to do with where the robot is
inline constexpr double kMostAgeMs = 10'000;
inline constexpr double kMostFutureMs = 1'000;
inline constexpr double kMostStuckMs = 60'000;

// --- derating: heat and supply are slow
inline constexpr double kMostOwnAgeMs = 60'000;

// --- deadline and clamp budget
inline constexpr unsigned kMostConsecutiveMisses = 100;
inline constexpr double kMostClampedShare = 0.9;

// --- mobile bases
inline constexpr double kMostSpeedMps = 50;
inline constexpr double kMostTurnRadps = 20;
inline constexpr double kMostAccMps2 = 20;  // two g: no tyre holds it, and no brake
inline constexpr double kMostTurnAccRadps2 = 200;
inline constexpr double kMostJerkMps3 = 1'000;

// --- zones around the body
inline constexpr unsigned kMostPoints = 100;
inline constexpr unsigned kMostConsecutiveScans = 100;
inline constexpr double kLeastHumanMps = 1.6;  // ISO 13855: a person walks

// --- arms
inline constexpr double kMostJointRadps = 20;
inline constexpr double kMostJointAccRadps2 = 1'000;
inline constexpr double kMostJointJerkRadps3 = 100'000;
inline constexpr double kMostTorqueNm = 2'000;
inline constexpr double kMostToolMps = 10;

// --- fallback rules
inline constexpr double kMostMrcMs = 60'000;     // until the robot stands
inline constexpr double kMostDeferMs = 600'000;  // a lift's ride; also how long a trigger may wait

}  // namespace agent::runtime
