#include "agent/daemon/daemon.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "agent/base/status_macros.h"
#include "agent/base/supervisor.h"
#include "spdlog/spdlog.h"

namespace agent::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kFindControlEvery(200);
// The gatekeeper answers every report, and there is one each second: a link silent for this long is
// dead though nobody closed it.
constexpr seconds kDeadLink(10);

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Make(DaemonOptions options, base::Files& files,
                                                     const base::Clock& clock) {
  RETURN_IF_ERROR(files.MakeFolders(options.state + "/agent"));
  RETURN_IF_ERROR(files.MakeFolders(options.state + "/slots"));
  ASSIGN_OR_RETURN(
      std::unique_ptr<lifecycle::Journal> journal,
      lifecycle::Journal::Open(options.state + "/agent/journal.sqlite", clock.WallMs()));
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(options), files, clock, std::move(journal)));
  ASSIGN_OR_RETURN(
      daemon->agent_,
      lifecycle::Agent::Start({.clock = clock,
                               .gatekeeper = daemon->gatekeeper_,
                               .control = daemon->control_,
                               .journal = *daemon->journal_,
                               .store = daemon->store_},
                              {.report_every = daemon->options_.report_every}, clock.Now()));
  return daemon;
}

Daemon::Daemon(DaemonOptions options, base::Files& files, const base::Clock& clock,
               std::unique_ptr<lifecycle::Journal> journal)
    : options_(std::move(options)),
      clock_(clock),
      journal_(std::move(journal)),
      store_(files, options_.state),
      credentials_(files, options_.state),
      control_(options_.state + "/control/agent.sock"),
      bulk_(options_.server, credentials_, clock),
      orders_(options_.server, credentials_, clock, mailbox_),
      gatekeeper_(orders_, bulk_),
      porter_(store_, gatekeeper_, options_.reserve_bytes),
      porter_thread_(porter_, bulk_, mailbox_) {}

absl::Status Daemon::Run(int stop_fd) {
  base::Supervisor supervisor = base::Supervisor::FromEnvironment();
  bool stop = false;
  while (!stop) {
    const Nanos now = clock_.Now();
    TakeMail(now);
    FindControl(now);
    TakeReports(now);
    WatchLink(now);
    MoveTasks(now);
    Nanos until = agent_->Poll(now);
    if (control_.fd() < 0) until = std::min(until, control_try_at_);
    supervisor.Works(now);
    if (supervisor.every() < until - now) until = now + supervisor.every();
    RETURN_IF_ERROR(Wait(stop_fd, until, stop));
  }
  spdlog::info("stopped");
  return absl::OkStatus();
}

absl::Status Daemon::Wait(int stop_fd, Nanos until, bool& stop) {
  std::array<pollfd, 3> watched = {{{.fd = stop_fd, .events = POLLIN, .revents = 0},
                                    {.fd = mailbox_.fd(), .events = POLLIN, .revents = 0},
                                    {.fd = control_.fd(), .events = POLLIN, .revents = 0}}};
  const Nanos wait = std::max(until - clock_.Now(), Nanos{});
  const auto wait_ms = std::chrono::ceil<milliseconds>(wait).count();
  if (poll(watched.data(), watched.size(), static_cast<int>(wait_ms)) < 0 && errno != EINTR) {
    return absl::InternalError("poll: " + std::generic_category().message(errno));
  }
  stop = watched[0].revents != 0;
  return absl::OkStatus();
}

void Daemon::TakeMail(Nanos now) {
  for (Mail& mail : mailbox_.TakeAll()) {
    if (std::holds_alternative<LinkOpened>(mail)) {
      link_open_ = true;
      heard_at_ = now;
      SayLink("connected to the gatekeeper at " + options_.server);
      agent_->OnLinkOpen(now);
    } else if (const auto* closed = std::get_if<LinkClosed>(&mail)) {
      if (std::exchange(link_open_, false)) agent_->OnLinkClosed();
      SayLink("no link, trying on: " + closed->why);
    } else if (const auto* said = std::get_if<ServerSaid>(&mail)) {
      heard_at_ = now;
      agent_->OnServer(said->message, now);
    } else if (const auto* done = std::get_if<TaskDone>(&mail)) {
      under_way_.reset();
      agent_->OnTaskDone(done->task, done->outcome, now);
    }
  }
}

void Daemon::FindControl(Nanos now) {
  if (control_.fd() >= 0 || now < control_try_at_) return;
  control_try_at_ = now + kFindControlEvery;
  if (!control_.Connect().ok()) return;
  if (!std::exchange(control_there_, true)) spdlog::info("gatekeeper-control is there");
  agent_->OnControlOpen();
}

void Daemon::TakeReports(Nanos now) {
  if (control_.fd() < 0) return;
  const auto reports = control_.Receive();
  for (size_t i = 0; reports.ok() && i < reports->size(); ++i) {
    agent_->OnControl((*reports)[i], now);
  }
  if (control_.fd() >= 0) return;
  if (std::exchange(control_there_, false)) {
    spdlog::warn("gatekeeper-control is gone; looking for it every {} ms",
                 kFindControlEvery.count());
  }
  agent_->OnControlClosed();
}

void Daemon::WatchLink(Nanos now) {
  if (!link_open_ || now - heard_at_ < kDeadLink) return;
  heard_at_ = now;
  orders_.Reconnect("the gatekeeper said nothing for 10 s");
}

void Daemon::MoveTasks(Nanos now) {
  if (under_way_ && agent_->Unwanted(*under_way_)) porter_thread_.Cancel();
  std::optional<lifecycle::Task> task = agent_->TakeTask(now);
  if (!task) return;
  under_way_ = task;
  porter_thread_.Give(*std::move(task));
}

void Daemon::SayLink(const std::string& text) {
  if (text == link_said_) return;
  link_said_ = text;
  spdlog::info("{}", text);
}

}  // namespace agent::daemon
