#include "gatekeeper/faults/stream.h"

#include <utility>

namespace gatekeeper::faults {

void Stream::Take(Message message) {
  const int64_t at = message.at_ns;
  waiting_.front().emplace(at, std::move(message));
}

std::vector<Message> Stream::Due(int64_t now_ns) {
  std::vector<Message> out;
  for (size_t stage = 0; stage < waiting_.size(); ++stage) {
    auto& queue = waiting_[stage];
    while (!queue.empty() && queue.begin()->first <= now_ns) {
      Message message = std::move(queue.begin()->second);
      queue.erase(queue.begin());
      if (stage == stages_.size()) {
        out.push_back(std::move(message));
        continue;
      }
      std::vector<Message> passed;
      stages_[stage]->Take(std::move(message), passed);
      for (Message& next : passed) {
        const int64_t at = next.at_ns;
        waiting_[stage + 1].emplace(at, std::move(next));
      }
    }
  }
  return out;
}

}  // namespace gatekeeper::faults
