#pragma once

// Beyond these a number of a policy or of fallback rules would never hold anything back, which
// would switch its check off (S14). They lie well away from what robots of the classes here do: who
// meets one has written milliseconds for seconds, or means to go without the check.

namespace agent::runtime {

// Of times that are stricter the longer they are (quiet_ms, standstill_ms), that another rule
// bounds more closely (hard_ms by S15, complete_within_ms by S5), or that need not be bounded at
// all (how long a model may drive degraded): a day keeps sums of them far from the largest number
// there is.
inline constexpr double kDayMs = 86'400'000;
inline constexpr double kDayS = 86'400;

// --- command: at this rate a robot still answers four times in the 4 s after which its supervisor
// takes it for hung (WatchdogSec in deploy/systemd/gatekeeper-control.service)
inline constexpr double kLeastRateHz = 1;

// --- inputs: what is older than this has nothing to do with where the robot is
inline constexpr double kMostAgeMs = 10'000;
inline constexpr double kMostFutureMs = 1'000;
inline constexpr double kMostStuckMs = 60'000;

// --- derating: heat and supply are slow
inline constexpr double kMostOwnAgeMs = 60'000;

// --- what a model says of itself: a confidence is a share of 1
inline constexpr double kLeastConfidence = 0.01;

// --- deadline and clamp budget
inline constexpr double kMostWindowS = 600;  // what a longer one counts is history, not a fault
inline constexpr unsigned kMostConsecutiveMisses = 100;
inline constexpr double kMostClampedShare = 0.9;

// --- after a swap: the first answers of a new model
inline constexpr double kLeastTransitionMs = 500;

// --- mobile bases
inline constexpr double kLeastGroundM = 0.05;  // what is smaller than a hand keeps no margin
inline constexpr double kMostSpeedMps = 50;
inline constexpr double kMostTurnRadps = 20;
inline constexpr double kMostAccMps2 = 20;  // two g: no tyre holds it, and no brake
inline constexpr double kMostTurnAccRadps2 = 200;
inline constexpr double kMostJerkMps3 = 1'000;
// Of vx_max_mps: a blocked robot that is told more pushes about as hard as without the limit.
inline constexpr double kMostAheadShare = 0.75;

// --- zones around the body
inline constexpr unsigned kMostPoints = 100;
inline constexpr unsigned kMostConsecutiveScans = 100;
inline constexpr double kLeastHumanMps = 1.6;        // ISO 13855: a person walks
inline constexpr double kLeastValidFraction = 0.01;  // of a scan that shall show a person

// --- arms
inline constexpr double kLeastReachM = 0.05;  // a shorter arm's tool is always slow
inline constexpr double kMostJointRad = 63;   // ten turns: no cable is wound up further
inline constexpr double kMostJointRadps = 20;
inline constexpr double kMostJointAccRadps2 = 1'000;
inline constexpr double kMostJointJerkRadps3 = 100'000;
inline constexpr double kMostTorqueNm = 2'000;
inline constexpr double kMostToolMps = 10;

// --- fallback rules
inline constexpr double kMostMrcMs = 60'000;     // until the robot stands
inline constexpr double kMostDeferMs = 600'000;  // a lift's ride; also how long a trigger may wait
inline constexpr double kMostDwellS = 3'600;     // of a substitute: it ends a job, it does not work
inline constexpr double kMostTtlS = 3'600;  // who looked at the robot an hour ago has not seen it
inline constexpr double kLeastStandstillMs = 500;  // what sways passes through 0 in less
inline constexpr double kLeastProbationS = 1;

}  // namespace agent::runtime
