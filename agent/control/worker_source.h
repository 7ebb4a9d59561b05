#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/base/files.h"
#include "agent/base/unique_fd.h"
#include "agent/control/model_source.h"
#include "agent/control/worker_process.h"

namespace agent::control {

// The ModelSource of a robot: one gatekeeper-worker a unit, fed with the very bytes whose digest
// was checked. Two threads of its own: a low-priority one verifies units against trust.json (read
// anew for each, so a new one counts from the next unit on) and compiles rules, the other starts
// workers and watches them. A worker that dies is news at once; starting another is the caller's
// decision.
class WorkerSource final : public ModelSource {
 public:
  struct Options {
    std::string trust_path;  // STATE/trust.json
    WorkerProgram worker;
  };
  // `files` must outlive this.
  static absl::StatusOr<std::unique_ptr<WorkerSource>> Start(Options options,
                                                             const base::Files& files);
  ~WorkerSource() override;  // ends its workers; models handed out must be gone by then
  WorkerSource(const WorkerSource&) = delete;
  WorkerSource& operator=(const WorkerSource&) = delete;

  uint64_t Request(const std::string& digest, const std::string& slot_folder) override;
  std::optional<SourceNews> Poll() override;
  void Kill(uint64_t ticket) override;
  void SetUrgency(uint64_t ticket, Urgency urgency) override;

  // Readable while Poll may have news: for the caller's epoll. Poll empties it.
  int news_fd() const { return news_signal_.get(); }

 private:
  struct Order {
    uint64_t ticket;
    std::string digest;
    std::string folder;
  };
  struct Prepared;
  struct Worker;

  WorkerSource(Options options, const base::Files& files, base::UniqueFd news, base::UniqueFd wake);
  void LoadLoop();
  void WatchLoop();
  absl::StatusOr<Prepared> Prepare(const Order& order) const;
  absl::StatusOr<std::unique_ptr<Worker>> Launch(Prepared prepared);
  bool Attend(Worker& worker);  // false: it is gone
  void HandOver(Worker& worker);
  void Tell(SourceNews news);
  void WaitForWork(const std::vector<std::unique_ptr<Worker>>& workers) const;

  const Options options_;
  const base::Files& files_;
  base::UniqueFd news_signal_;          // eventfd: news for Poll
  std::atomic<bool> has_news_ = false;  // changed under the lock, read without it
  base::UniqueFd wake_;                 // eventfd: work for the watching thread
  std::atomic<bool> stop_ = false;

  std::mutex mutex_;  // held for moments only
  std::condition_variable orders_changed_;
  std::deque<Order> orders_;
  std::deque<Prepared> prepared_;
  std::deque<SourceNews> news_;
  std::vector<uint64_t> kill_;  // tickets to end
  std::vector<std::pair<uint64_t, Urgency>> urgencies_;
  uint64_t last_ticket_ = 0;

  std::thread loader_;
  std::thread watcher_;
};

}  // namespace agent::control
