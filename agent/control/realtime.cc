#include "agent/control/realtime.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

namespace agent::control {

bool BecomeRealtime() {
  // Locking future memory under a finite limit would turn the next large allocation into a crash.
  rlimit limit{};
  const bool unlimited = getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
  mlockall(unlimited ? MCL_CURRENT | MCL_FUTURE : MCL_CURRENT);
  // Low in the band: drivers' interrupt threads (50) must be able to run before us.
  constexpr int kPriority = 20;
  sched_param parameters{};
  parameters.sched_priority = kPriority;
  return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) == 0;
}

}  // namespace agent::control
