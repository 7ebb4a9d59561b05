#pragma once

namespace agent::control {

// Asks for SCHED_FIFO for the calling thread (its children get the normal class) and for all memory
// to stay resident. False when the scheduler refuses, which needs CAP_SYS_NICE or RLIMIT_RTPRIO;
// control then runs on as an ordinary thread.
bool BecomeRealtime();

}  // namespace agent::control
