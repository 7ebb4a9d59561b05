#include "agent/control/realtime.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

namespace agent::control {

namespace {

// Low in the band: drivers' interrupt threads (50) must be able to run before us.
constexpr int kPriority = 20;

bool SetScheduler(pid_t pid, int policy, int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  return sched_setscheduler(pid, policy | SCHED_RESET_ON_FORK, &parameters) == 0;
}

}  // namespace

bool BecomeRealtime() {
  // Locking future memory under a finite limit would turn the next large allocation into a crash.
  rlimit limit{};
  const bool unlimited = getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
  mlockall(unlimited ? MCL_CURRENT | MCL_FUTURE : MCL_CURRENT);
  return SetScheduler(0, SCHED_FIFO, kPriority);
}

void SetUrgency(pid_t worker, Urgency urgency) {
  // Below control: the deadline must be met whatever the model does.
  const bool driving = urgency == Urgency::kDriving;
  (void)SetScheduler(worker, driving ? SCHED_FIFO : SCHED_OTHER, driving ? kPriority - 1 : 0);
}

}  // namespace agent::control
