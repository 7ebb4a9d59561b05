#include <dlfcn.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <thread>

#include "agent/base/packet_socket.h"
#include "agent/control/control_loop.h"
#include "tests/agent/control/control_fixture.h"
#include "tests/support/fake_sysfs.h"
#include "tests/support/status_matchers.h"

// What a tick costs the control thread: every allocation and every lock of that thread is counted,
// whoever asks for it. control_process_test counts the system calls of the real program.

namespace {

thread_local bool counted_here = false;
std::atomic<uint64_t> allocations = 0;
std::atomic<uint64_t> locks = 0;

using LockFunction = int (*)(pthread_mutex_t*);

}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  if (counted_here) ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
// Else a sanitizer would make these blocks, and ours would free them.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto real = reinterpret_cast<LockFunction>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  if (counted_here) ++locks;
  return real(mutex);
}
extern "C" int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  static const auto real =
      reinterpret_cast<LockFunction>(dlsym(RTLD_NEXT, "pthread_mutex_trylock"));
  if (counted_here) ++locks;
  return real(mutex);
}

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The real loop, core, recorder and sockets; the model alone is a fake, in this process.
class TickCostTest : public testing::Test {
 protected:
  void SetUp() override {
    sysfs_.AddZone(0, "cpu-thermal", 55'000);
    ASSERT_OK_AND_ASSIGN(PacketPort robot, PacketPort::Listen(folder_ / "robot.sock"));
    ASSERT_OK_AND_ASSIGN(PacketPort agent, PacketPort::Listen(folder_ / "agent.sock"));
    ASSERT_OK(files_.MakeFolders(folder_ / "state/control"));
    RecorderOptions options;
    options.ring.folder = folder_ / "recorder";
    recorder_.emplace(options, clock_);
    health_.emplace(sysfs_.root(), clock_);
    core_.emplace(folder_ / "state", files_, clock_, source_);
    loop_.emplace(ControlLoop::Parts{.core = *core_,
                                     .clock = clock_,
                                     .health = *health_,
                                     .shadow = shadow_,
                                     .recorder = *recorder_,
                                     .robot = std::move(robot),
                                     .agent = std::move(agent)});
    thread_ = std::thread([this] {
      counted_here = true;
      loop_->Run(stop_.get());
      counted_here = false;
    });
    ASSERT_OK_AND_ASSIGN(robot_, base::ConnectPackets(folder_ / "robot.sock"));
  }
  void TearDown() override {
    const uint64_t one = 1;
    ASSERT_EQ(write(stop_.get(), &one, sizeof(one)), 8);
    thread_.join();
  }

  // The agent tells what to do and goes: its reports are no part of a tick.
  void Commit(const std::string& digest) {
    Order(v1::STAGE_COMMIT, digest,
          [&](const v1::ControlReport& report) { return report.running_digest() == digest; });
  }
  void Shadow(const std::string& digest) {
    Order(v1::STAGE_SHADOW, digest, [&](const v1::ControlReport& report) {
      return report.candidate_state() == v1::CANDIDATE_SHADOWING;
    });
  }
  void Order(v1::Stage stage, const std::string& digest,
             const std::function<bool(const v1::ControlReport&)>& done) {
    ASSERT_OK_AND_ASSIGN(const base::UniqueFd agent, base::ConnectPackets(folder_ / "agent.sock"));
    v1::ControlOrder order;
    order.set_seq(++order_seq_);
    order.set_stage(stage);
    order.set_candidate_digest(digest);
    order.set_link_up(true);
    ASSERT_OK(base::SendPacket(agent.get(), order.SerializeAsString()));
    for (v1::ControlReport report; !done(report); Exchange(1)) {
      const auto packet = base::ReceivePacket(agent.get());
      if (packet.ok()) {
        ASSERT_TRUE(report.ParseFromString(packet->bytes));
      }
    }
  }

  // What a mobile robot sends: a scan, odometry, and signals whose names need memory.
  static v1::Observation Seen() {
    v1::Observation seen;
    seen.set_want_command(true);
    seen.set_network_up(true);
    seen.mutable_odom()->set_vx_mps(0.1);
    for (int i = 0; i < 720; ++i) seen.mutable_scan()->add_ranges_m(3.5F);
    (*seen.mutable_signals())["bearing_of_the_present_goal_rad"].set_value(0.5);
    (*seen.mutable_signals())["distance_to_the_present_goal_m"].set_value(4);
    return seen;
  }
  void Exchange(int ticks) {
    v1::Observation seen = Seen();
    for (int i = 0; i < ticks; ++i) {
      const int64_t now = clock_.Now().count();
      seen.set_seq(++seq_);
      seen.set_stamp_ns(now);
      ASSERT_OK(base::SendPacket(robot_.get(), seen.SerializeAsString()));
      pollfd answer{.fd = robot_.get(), .events = POLLIN, .revents = 0};
      do {
        ASSERT_EQ(poll(&answer, 1, 40'000), 1);
        const auto packet = base::ReceivePacket(robot_.get());
        ASSERT_OK(packet);
        ASSERT_TRUE(command_.ParseFromString(packet->bytes));
      } while (command_.seq() != seq_);
    }
  }

  // Warm first, then counted.
  void ExpectFreeTicks() {
    const base::Nanos warm =
        clock_.Now() + seconds(2);  // heat has come, and the latency's first signals
    while (clock_.Now() < warm) Exchange(10);
    ASSERT_EQ(command_.state(), "NOMINAL");
    ASSERT_GT(allocations, 0u) << "the counter counts";
    ASSERT_GT(locks, 0u) << "the counter counts";

    const uint64_t allocations_before = allocations;
    const uint64_t locks_before = locks;
    const base::Nanos until = clock_.Now() + milliseconds(1500);  // ten looks at the heat and more
    uint64_t ticks = 0;
    for (; clock_.Now() < until; ticks += 10) Exchange(10);

    EXPECT_EQ(allocations - allocations_before, 0u) << "in " << ticks << " ticks";
    EXPECT_EQ(locks - locks_before, 0u) << "in " << ticks << " ticks";
    EXPECT_GT(ticks, 100u);
    EXPECT_EQ(command_.state(), "NOMINAL");
    EXPECT_EQ(command_.unit_digest(), tests::DigestOf('a'));
  }

  tests::TempFolder folder_;
  tests::FakeSysfs sysfs_;
  base::OsFiles files_;
  base::SystemClock clock_;
  tests::ScriptedSource source_;
  base::UniqueFd stop_{eventfd(0, EFD_CLOEXEC)};
  ShadowThread shadow_;
  std::optional<FlightRecorder> recorder_;
  std::optional<HealthThread> health_;
  std::optional<ControlCore> core_;
  std::optional<ControlLoop> loop_;
  std::thread thread_;
  base::UniqueFd robot_;
  v1::Command command_;
  uint64_t seq_ = 0;
  uint64_t order_seq_ = 0;
};

// Nor while a candidate looks on, which runs in a thread of its own.
TEST_F(TickCostTest, NoTickAllocatesOrLocksOnceItsBuffersHaveFoundTheirSize) {
  Commit(tests::DigestOf('a'));
  ExpectFreeTicks();
  Shadow(tests::DigestOf('b'));
  const auto shadow = source_.ScriptOf(tests::DigestOf('b'));
  ExpectFreeTicks();
  EXPECT_GT(shadow->runs, 20) << "a computer that is busy with other things shows it few";
}

}  // namespace
}  // namespace agent::control
