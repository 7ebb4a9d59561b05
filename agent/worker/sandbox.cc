#include "agent/worker/sandbox.h"

#include <linux/close_range.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_format.h"
#include "agent/base/handle.h"
#include "agent/base/status_macros.h"

// A sanitizer's shadow takes terabytes of address space and its run time makes system calls of its
// own: exactly the address-space limit and the filter are left out under one.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GK_SANITIZED 1
#else
#define GK_SANITIZED 0
#endif

namespace agent::worker {

namespace {

// The largest model is 512 MiB; loading one holds it, its parsed form and its packed weights at
// once.
constexpr rlim_t kAddressSpaceBytes = rlim_t{4} << 30;
// The library itself reads /proc and /sys while it starts.
constexpr rlim_t kOpenFiles = 64;

absl::Status Failed(const char* what, int error) {
  return absl::InternalError(
      absl::StrFormat("cannot sandbox the worker: %s: %s", what, std::strerror(error)));
}

absl::Status Limit(__rlimit_resource_t resource, const char* name, rlim_t value) {
  const rlimit limit{.rlim_cur = value, .rlim_max = value};
  return setrlimit(resource, &limit) == 0 ? absl::OkStatus() : Failed(name, errno);
}

using Filter = base::Handle<void, seccomp_release>;

absl::Status Allow(const Filter& filter) {
  constexpr int kAnyArguments[] = {
      // waiting and time (the vDSO falls back to these on some virtual machines)
      SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(clock_nanosleep),
      SCMP_SYS(nanosleep), SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield), SCMP_SYS(getcpu),
      // memory
      SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
      // signals and the end
      SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(exit), SCMP_SYS(exit_group)};
  for (const int call : kAnyArguments) {
    const int error = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
    if (error != 0) return Failed("seccomp rule", -error);
  }
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    const int error = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 1,
                                       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (error != 0) return Failed("seccomp rule on memory", -error);
  }
  for (const uint64_t fd : {STDOUT_FILENO, STDERR_FILENO}) {
    const int error = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
                                       SCMP_A0(SCMP_CMP_EQ, fd));
    if (error != 0) return Failed("seccomp rule on output", -error);
  }
  return absl::OkStatus();
}

absl::Status LoadFilter() {
  const Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (filter == nullptr) return Failed("seccomp", ENOMEM);
  RETURN_IF_ERROR(Allow(filter));
  // Every thread, should a library have started one.
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (error == 0) error = seccomp_load(filter.get());
  return error == 0 ? absl::OkStatus() : Failed("loading the seccomp filter", -error);
}

}  // namespace

absl::Status LimitProcess() {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return Failed("PR_SET_PDEATHSIG", errno);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Failed("PR_SET_NO_NEW_PRIVS", errno);
  RETURN_IF_ERROR(Limit(RLIMIT_CORE, "RLIMIT_CORE", 0));
  RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, "RLIMIT_FSIZE", 0));
  RETURN_IF_ERROR(Limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", kOpenFiles));
  if (GK_SANITIZED == 0) RETURN_IF_ERROR(Limit(RLIMIT_AS, "RLIMIT_AS", kAddressSpaceBytes));
  return absl::OkStatus();
}

absl::Status SealProcess() {
  if (close_range(STDERR_FILENO + 1, ~0U, 0) != 0) return Failed("closing descriptors", errno);
  return GK_SANITIZED == 0 ? LoadFilter() : absl::OkStatus();
}

}  // namespace agent::worker
