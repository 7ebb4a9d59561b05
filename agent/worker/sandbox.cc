#include "agent/worker/sandbox.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/handle.h"
#include "agent/base/sanitized.h"
#include "agent/base/status_macros.h"

namespace agent::worker {

namespace {

// Under a sanitizer exactly the address-space limit and the filters are left out.

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

// Only what is asked of us: the hard limit stays, so that it can be lifted again for serving.
absl::Status LimitProcessorTime(rlim_t seconds) {
  rlimit limit{};
  if (getrlimit(RLIMIT_CPU, &limit) != 0) return Failed("RLIMIT_CPU", errno);
  limit.rlim_cur = std::min(seconds, limit.rlim_max);
  return setrlimit(RLIMIT_CPU, &limit) == 0 ? absl::OkStatus() : Failed("RLIMIT_CPU", errno);
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

// Into the kernel, for every thread there is.
absl::Status Load(const Filter& filter) {
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (error == 0) error = seccomp_load(filter.get());
  return error == 0 ? absl::OkStatus() : Failed("loading the seccomp filter", -error);
}

absl::Status Refuse(const Filter& filter, int call, const std::vector<scmp_arg_cmp>& when = {},
                    int answer = EPERM) {
  const int error =
      seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(static_cast<uint16_t>(answer)), call,
                             static_cast<unsigned>(when.size()), when.data());
  return error == 0 ? absl::OkStatus() : Failed("seccomp rule on loading", -error);
}

// What a library has no business with while it loads a model. Refused, not killed: some libraries
// try and do without.
absl::Status RefuseOutside(const Filter& filter) {
  constexpr int kAlways[] = {
      // network
      SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
      SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg),
      // programs and processes
      SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace),
      SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kill), SCMP_SYS(tkill),
      SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(pidfd_open),
      SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal),
      // files
      SCMP_SYS(creat), SCMP_SYS(truncate), SCMP_SYS(ftruncate), SCMP_SYS(unlink),
      SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
      SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(link), SCMP_SYS(linkat),
      SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(chmod),
      SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(fchown), SCMP_SYS(fchownat),
      SCMP_SYS(lchown), SCMP_SYS(openat2),
      // the kernel's wider doors
      SCMP_SYS(io_uring_setup), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
      SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(chroot),
      SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key)};
  for (const int call : kAlways) RETURN_IF_ERROR(Refuse(filter, call));
  // abort() signals itself.
  const auto self = static_cast<scmp_datum_t>(getpid());
  RETURN_IF_ERROR(Refuse(filter, SCMP_SYS(tgkill), {SCMP_A0(SCMP_CMP_NE, self)}));
  for (const scmp_datum_t flag : {O_WRONLY, O_RDWR, O_CREAT}) {
    RETURN_IF_ERROR(Refuse(filter, SCMP_SYS(openat), {SCMP_A2(SCMP_CMP_MASKED_EQ, flag, flag)}));
    RETURN_IF_ERROR(Refuse(filter, SCMP_SYS(open), {SCMP_A1(SCMP_CMP_MASKED_EQ, flag, flag)}));
  }
  // A thread is no process; clone3's flags cannot be seen, and without it the C library uses clone.
  RETURN_IF_ERROR(Refuse(filter, SCMP_SYS(clone), {SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)}));
  return Refuse(filter, SCMP_SYS(clone3), {}, ENOSYS);
}

}  // namespace

absl::Status LimitProcess(const Limits& limits) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return Failed("PR_SET_PDEATHSIG", errno);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Failed("PR_SET_NO_NEW_PRIVS", errno);
  RETURN_IF_ERROR(Limit(RLIMIT_CORE, "RLIMIT_CORE", 0));
  RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, "RLIMIT_FSIZE", 0));
  RETURN_IF_ERROR(Limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", kOpenFiles));
  RETURN_IF_ERROR(LimitProcessorTime(limits.load_cpu_s));
  if (base::kSanitized) return absl::OkStatus();
  RETURN_IF_ERROR(Limit(RLIMIT_AS, "RLIMIT_AS", limits.memory_bytes));
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW));
  if (filter == nullptr) return Failed("seccomp", ENOMEM);
  RETURN_IF_ERROR(RefuseOutside(filter));
  return Load(filter);
}

absl::Status ForbidThreads() {
  if (base::kSanitized) return absl::OkStatus();  // theirs start threads of their own
  RETURN_IF_ERROR(Limit(RLIMIT_NPROC, "RLIMIT_NPROC", 0));
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW));  // root is above RLIMIT_NPROC
  if (filter == nullptr) return Failed("seccomp", ENOMEM);
  RETURN_IF_ERROR(Refuse(filter, SCMP_SYS(clone)));
  return Load(filter);
}

absl::Status SealProcess() {
  if (close_range(STDERR_FILENO + 1, ~0U, 0) != 0) return Failed("closing descriptors", errno);
  RETURN_IF_ERROR(LimitProcessorTime(RLIM_INFINITY));
  if (base::kSanitized) return absl::OkStatus();
  const Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (filter == nullptr) return Failed("seccomp", ENOMEM);
  RETURN_IF_ERROR(Allow(filter));
  return Load(filter);
}

}  // namespace agent::worker
