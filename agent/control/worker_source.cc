#include "agent/control/worker_source.h"

#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/sealed_memory.h"
#include "agent/base/status_macros.h"
#include "agent/control/worker_model.h"
#include "agent/trust/manifest.h"
#include "agent/trust/trust_policy.h"
#include "agent/trust/unit.h"

namespace agent::control {
namespace {

using base::Nanos;

constexpr Nanos kLoadWithin = std::chrono::seconds(60);  // a 2 GiB model from an SD card
constexpr int kLoadPollMs = 5;                           // how soon a worker's readiness is seen
// Hashing and compiling must not disturb the control thread. No worker may be started from there:
// it would inherit this, and serve with it for ever.
constexpr int kLoaderNice = 10;

void Signal(const base::UniqueFd& event) {
  const uint64_t one = 1;
  // It can fail only when the counter is full, and then it is readable already.
  (void)!write(event.get(), &one, sizeof(one));
}

void Drain(const base::UniqueFd& event) {
  uint64_t count = 0;
  (void)!read(event.get(), &count, sizeof(count));
}

Nanos Now() { return base::SystemClock().Now(); }

}  // namespace

// A unit that may run, its model not started yet.
struct WorkerSource::Prepared {
  uint64_t ticket = 0;
  std::string digest;
  std::shared_ptr<const runtime::UnitRules> rules;
  base::ModelSignature signature;
  base::UniqueFd model;
  base::UniqueFd golden;  // invalid: the unit has no golden answers
  std::vector<base::ExecutionProvider> providers;
};

struct WorkerSource::Worker {
  uint64_t ticket;
  std::string digest;
  std::shared_ptr<const runtime::UnitRules> rules;
  std::shared_ptr<base::WorkerChannel> channel;
  WorkerProcess process;
  Nanos ready_by;
  bool handed_over = false;
  bool told = false;  // of its end
  std::shared_ptr<std::atomic<bool>> released = std::make_shared<std::atomic<bool>>(false);
};

absl::StatusOr<std::unique_ptr<WorkerSource>> WorkerSource::Start(Options options,
                                                                  const base::Files& files) {
  base::UniqueFd news(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  base::UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!news.valid() || !wake.valid()) {
    return absl::ResourceExhaustedError("no file descriptor left for eventfd");
  }
  return std::unique_ptr<WorkerSource>(
      new WorkerSource(std::move(options), files, std::move(news), std::move(wake)));
}

WorkerSource::WorkerSource(Options options, const base::Files& files, base::UniqueFd news,
                           base::UniqueFd wake)
    : options_(std::move(options)),
      files_(files),
      news_signal_(std::move(news)),
      wake_(std::move(wake)),
      loader_([this] { LoadLoop(); }),
      watcher_([this] { WatchLoop(); }) {}

WorkerSource::~WorkerSource() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  orders_changed_.notify_all();
  Signal(wake_);
  loader_.join();
  watcher_.join();
}

uint64_t WorkerSource::Request(const std::string& digest, const std::string& slot_folder) {
  const std::lock_guard lock(mutex_);
  orders_.push_back({++last_ticket_, digest, slot_folder});
  orders_changed_.notify_one();
  return last_ticket_;
}

std::optional<SourceNews> WorkerSource::Poll() {
  if (!has_news_) return std::nullopt;  // as in nearly every tick: no lock
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return std::nullopt;
  if (news_.empty()) {
    Drain(news_signal_);
    has_news_ = false;
    return std::nullopt;
  }
  SourceNews first = std::move(news_.front());
  news_.pop_front();
  return first;
}

void WorkerSource::Kill(uint64_t ticket) {
  {
    const std::lock_guard lock(mutex_);
    kill_.push_back(ticket);
  }
  Signal(wake_);
}

void WorkerSource::SetUrgency(uint64_t ticket, Urgency urgency) {
  {
    const std::lock_guard lock(mutex_);
    urgencies_.emplace_back(ticket, urgency);
  }
  Signal(wake_);
}

void WorkerSource::Tell(SourceNews news) {
  {
    const std::lock_guard lock(mutex_);
    news_.push_back(std::move(news));
    has_news_ = true;
  }
  Signal(news_signal_);
}

void WorkerSource::LoadLoop() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLoaderNice);
  while (true) {
    Order order;
    {
      std::unique_lock lock(mutex_);
      orders_changed_.wait(lock, [this] { return stop_ || !orders_.empty(); });
      if (stop_) return;
      order = std::move(orders_.front());
      orders_.pop_front();
    }
    absl::StatusOr<Prepared> prepared = Prepare(order);
    // What hashing and parsing freed goes back to the system now: release after release, the
    // allocator would keep it all.
    malloc_trim(0);
    if (!prepared.ok()) {
      Tell({order.ticket, nullptr, prepared.status()});
      continue;
    }
    {
      const std::lock_guard lock(mutex_);
      prepared_.push_back(*std::move(prepared));
    }
    Signal(wake_);
  }
}

absl::StatusOr<WorkerSource::Prepared> WorkerSource::Prepare(const Order& order) const {
  ASSIGN_OR_RETURN(const std::string trust_json,
                   files_.Read(options_.trust_path, trust::kMaxTrustBytes));
  ASSIGN_OR_RETURN(const trust::TrustPolicy trust, trust::TrustPolicy::Parse(trust_json));
  ASSIGN_OR_RETURN(const trust::VerifiedUnit unit, trust::VerifyUnit(order.folder, trust));
  if (unit.digest().hex() != order.digest) {
    return absl::DataLossError(
        absl::StrFormat("slot %s holds unit %s", order.folder, unit.digest().hex()));
  }
  ASSIGN_OR_RETURN(const std::string card, unit.Read(trust::kCardFile));
  ASSIGN_OR_RETURN(const std::string policy, unit.Read(trust::kPolicyFile));
  ASSIGN_OR_RETURN(const std::string fallback, unit.Read(trust::kFallbackFile));
  Prepared prepared;
  prepared.ticket = order.ticket;
  prepared.digest = order.digest;
  ASSIGN_OR_RETURN(prepared.rules, runtime::LoadRules(card, policy, fallback));
  ASSIGN_OR_RETURN(prepared.signature,
                   runtime::SignatureFor(prepared.rules->card, prepared.rules->policy));
  ASSIGN_OR_RETURN(const std::string model, unit.Read(trust::kModelFile));
  ASSIGN_OR_RETURN(prepared.model, base::SealBytes("model", model));
  if (trust::HasFile(unit.manifest(), trust::kGoldenFile)) {
    ASSIGN_OR_RETURN(const std::string golden, unit.Read(trust::kGoldenFile));
    ASSIGN_OR_RETURN(prepared.golden, base::SealBytes("golden", golden));
  }
  const auto& listed = prepared.rules->card.execution_providers();
  ASSIGN_OR_RETURN(prepared.providers, base::ParseProviders({listed.begin(), listed.end()}));
  return prepared;
}

void WorkerSource::WatchLoop() {
  std::vector<std::unique_ptr<Worker>> workers;
  while (!stop_) {
    WaitForWork(workers);
    Drain(wake_);
    std::deque<Prepared> prepared;
    std::vector<uint64_t> kill;
    std::vector<std::pair<uint64_t, Urgency>> urgencies;
    {
      const std::lock_guard lock(mutex_);
      prepared.swap(prepared_);
      kill.swap(kill_);
      urgencies.swap(urgencies_);
    }
    for (Prepared& unit : prepared) {
      const uint64_t ticket = unit.ticket;
      absl::StatusOr<std::unique_ptr<Worker>> worker = Launch(std::move(unit));
      if (worker.ok()) {
        workers.push_back(*std::move(worker));
      } else {
        Tell({ticket, nullptr, worker.status()});
      }
    }
    for (const std::unique_ptr<Worker>& worker : workers) {
      if (std::ranges::count(kill, worker->ticket) > 0) worker->process.Kill();
      for (const auto& [ticket, urgency] : urgencies) {
        if (ticket == worker->ticket) control::SetUrgency(worker->process.pid(), urgency);
      }
    }
    std::erase_if(workers, [this](const auto& worker) { return !Attend(*worker); });
  }
  for (const std::unique_ptr<Worker>& worker : workers) worker->channel->Abandon();
}

void WorkerSource::WaitForWork(const std::vector<std::unique_ptr<Worker>>& workers) const {
  std::vector<pollfd> watched = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  bool loading = false;
  for (const std::unique_ptr<Worker>& worker : workers) {
    watched.push_back({.fd = worker->process.pidfd(), .events = POLLIN, .revents = 0});
    loading = loading || (!worker->handed_over && !worker->told);
  }
  poll(watched.data(), watched.size(), loading ? kLoadPollMs : -1);
}

absl::StatusOr<std::unique_ptr<WorkerSource::Worker>> WorkerSource::Launch(Prepared prepared) {
  ASSIGN_OR_RETURN(base::WorkerChannel channel, base::WorkerChannel::Create(prepared.signature));
  ASSIGN_OR_RETURN(WorkerProcess process,
                   WorkerProcess::Start(options_.worker, {.model_fd = prepared.model.get(),
                                                          .channel_fd = channel.fd(),
                                                          .golden_fd = prepared.golden.get(),
                                                          .providers = prepared.providers}));
  return std::make_unique<Worker>(
      Worker{.ticket = prepared.ticket,
             .digest = std::move(prepared.digest),
             .rules = std::move(prepared.rules),
             .channel = std::make_shared<base::WorkerChannel>(std::move(channel)),
             .process = std::move(process),
             .ready_by = Now() + kLoadWithin});
}

bool WorkerSource::Attend(Worker& worker) {
  const base::WorkerState state = worker.channel->state();
  if (const std::optional<std::string> end = worker.process.Reap()) {
    worker.channel->Abandon();
    if (worker.told || *worker.released) return false;
    const std::string why =
        state == base::WorkerState::kFailed ? ": " + worker.channel->text() : "";
    Tell({worker.ticket, nullptr,
          absl::UnavailableError(
              absl::StrFormat("worker of unit %s %s%s", worker.digest.substr(0, 12), *end, why))});
    return false;
  }
  if (*worker.released) {
    worker.process.Kill();
  } else if (!worker.handed_over && !worker.told) {
    if (state == base::WorkerState::kReady) {
      HandOver(worker);
    } else if (Now() > worker.ready_by) {
      worker.told = true;
      worker.process.Kill();
      Tell({worker.ticket, nullptr,
            absl::DeadlineExceededError(absl::StrFormat(
                "model was not warm within %d s",
                std::chrono::duration_cast<std::chrono::seconds>(kLoadWithin).count()))});
    }
  }
  return true;
}

void WorkerSource::HandOver(Worker& worker) {
  worker.handed_over = true;
  auto model = std::make_unique<WorkerModel>(worker.channel, [this, released = worker.released] {
    *released = true;
    Signal(wake_);
  });
  auto crew = MakeCrew(worker.digest, worker.rules, std::move(model));
  Tell({worker.ticket, crew.ok() ? *crew : nullptr, crew.status(), worker.channel->text()});
}

}  // namespace agent::control
