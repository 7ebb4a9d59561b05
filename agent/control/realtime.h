#pragma once

#include <sys/types.h>

namespace agent::control {

// Asks for SCHED_FIFO for the calling thread (its children get the normal class) and for all memory
// to stay resident. False when the scheduler refuses, which needs CAP_SYS_NICE or RLIMIT_RTPRIO;
// control then runs on as an ordinary thread.
bool BecomeRealtime();

// How soon a worker must have the processor.
enum class Urgency {
  kDriving,  // control waits for its answer: SCHED_FIFO, just below control itself
  kBeside,   // shadow, or not asked at all: the normal class, which every realtime thread displaces
};

// Does nothing where the scheduler refuses: such a worker is an ordinary process, as control is.
void SetUrgency(pid_t worker, Urgency urgency);

}  // namespace agent::control
