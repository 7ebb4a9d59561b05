// Reading a ULog file in the order of its messages' timestamps.

#include <algorithm>
#include <bit>
#include <deque>
#include <map>
#include <queue>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/record_walk.h"
#include "gatekeeper/ingest/ulog_file.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::ingest {
namespace {

using nlohmann::json;

constexpr uint64_t kMostOpenBytes = 128ull << 20;

std::string Compact(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// The kernel's levels as PX4 writes them: '0' emergency to '7' debug.
std::string LogLine(std::string_view body, bool tagged) {
  UlogTaker taker(body);
  const int level = taker.Number<uint8_t>() - '0';
  json line = {{"level", level}};
  if (tagged) line["tag"] = taker.Number<uint16_t>();
  taker.Number<uint64_t>();
  line["text"] = std::string(taker.Rest());
  return Compact(line);
}

// "float MC_ROLL_P" and its four bytes.
std::string Parameter(std::string_view body) {
  UlogTaker taker(body);
  const std::string_view key = taker.Bytes(taker.Number<uint8_t>());
  const auto bits = taker.Number<uint32_t>();
  const size_t space = std::min(key.find(' '), key.size());
  json parameter = {{"name", std::string(key.substr(std::min(space + 1, key.size())))}};
  if (key.substr(0, space) == "float") {
    parameter["value"] = std::bit_cast<float>(bits);
  } else {
    parameter["value"] = static_cast<int32_t>(bits);
  }
  return Compact(parameter);
}

}  // namespace

// The wanted messages of one segment, earliest first.
class UlogFile::Cursor {
 public:
  Cursor(const UlogFile& file, const Segment& segment) : file_(file), segment_(segment) {}

  absl::Status Load(const Selection& selection) {
    bytes_.resize(segment_.to - segment_.from);
    RETURN_IF_ERROR(
        agent::recording::ReadAt(file_.fd_.get(), segment_.from, bytes_.size(), bytes_.data()));
    int64_t time_ns = segment_.time_before_ns;
    for (size_t at = 0; at + kUlogMessageHeader <= bytes_.size();) {
      UlogTaker taker(std::string_view(bytes_).substr(at));
      const size_t size = taker.Number<uint16_t>();
      const char type = taker.Number<char>();
      const UlogMessage message{
          .type = type, .offset = segment_.from + at, .body = taker.Bytes(size)};
      if (!taker.ok()) return absl::DataLossError("the file changed while it was read");
      at += kUlogMessageHeader + size;
      if (type != 'D' && type != 'P' && type != 'L' && type != 'C') continue;
      const std::optional<Entry> entry = file_.Interpret(message, time_ns);
      if (!entry) continue;
      time_ns = entry->time_ns;
      if (IsWanted(*entry, selection)) entries_.push_back(*entry);
    }
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const Entry& a, const Entry& b) { return a.time_ns < b.time_ns; });
    return absl::OkStatus();
  }

  bool empty() const { return next_ == entries_.size(); }
  uint64_t from() const { return segment_.from; }
  size_t bytes() const { return bytes_.size(); }
  const Entry& front() const { return entries_[next_]; }
  void Pop() { ++next_; }

 private:
  bool IsWanted(const Entry& entry, const Selection& selection) const {
    return entry.time_ns >= selection.from_ns && entry.time_ns <= selection.to_ns &&
           (selection.topics.empty() || selection.topics.contains(file_.topics_[entry.topic].name));
  }

  const UlogFile& file_;
  Segment segment_;
  std::string bytes_;
  std::vector<Entry> entries_;
  size_t next_ = 0;
};

// The segments of a file merged: those that overlap in time are open together.
class UlogFile::Merge {
 public:
  Merge(const UlogFile& file, const Selection& selection) : file_(file), selection_(selection) {
    for (const Segment& segment : file.segments_)
      if (!segment.span.empty() && segment.span.last_ns >= selection.from_ns &&
          segment.span.first_ns <= selection.to_ns)
        waiting_.push_back(segment);
    std::stable_sort(waiting_.begin(), waiting_.end(), [](const Segment& a, const Segment& b) {
      return a.span.first_ns < b.span.first_ns;
    });
  }

  bool empty() const { return heap_.empty() && waiting_.empty(); }
  bool MustOpen() const {
    return !waiting_.empty() &&
           (heap_.empty() || waiting_.front().span.first_ns <= heap_.top()->front().time_ns);
  }

  absl::Status OpenNext() {
    const Segment segment = waiting_.front();
    waiting_.pop_front();
    auto cursor = std::make_unique<Cursor>(file_, segment);
    const absl::Status loaded = cursor->Load(selection_);
    if (!loaded.ok()) return file_.At(segment.from, loaded);
    if (cursor->empty()) return loaded;
    open_bytes_ += cursor->bytes();
    if (open_bytes_ > kMostOpenBytes)
      return absl::ResourceExhaustedError(absl::StrFormat(
          "%s: its timestamps are so far from the order of the file that more than %d MiB would "
          "have to be open at once",
          file_.source_.name, kMostOpenBytes >> 20));
    heap_.push(cursor.get());
    open_[segment.from] = std::move(cursor);
    return absl::OkStatus();
  }

  absl::Status Deliver(const Callback& callback) {
    Cursor* const cursor = heap_.top();
    heap_.pop();
    const Entry& entry = cursor->front();
    std::string text;
    if (entry.type != 'D')
      text = entry.type == 'P' ? Parameter(entry.body) : LogLine(entry.body, entry.type == 'C');
    RETURN_IF_ERROR(callback(file_.topics_[entry.topic],
                             {.log_time_ns = entry.time_ns,
                              .publish_time_ns = entry.time_ns,
                              .data = entry.type == 'D' ? entry.body : std::string_view(text)}));
    cursor->Pop();
    if (!cursor->empty()) {
      heap_.push(cursor);
      return absl::OkStatus();
    }
    open_bytes_ -= cursor->bytes();
    open_.erase(cursor->from());
    return absl::OkStatus();
  }

 private:
  struct Later {
    bool operator()(const Cursor* a, const Cursor* b) const {
      return std::pair(a->front().time_ns, a->from()) > std::pair(b->front().time_ns, b->from());
    }
  };

  const UlogFile& file_;
  const Selection& selection_;
  std::deque<Segment> waiting_;
  std::map<uint64_t, std::unique_ptr<Cursor>> open_;  // by offset
  std::priority_queue<Cursor*, std::vector<Cursor*>, Later> heap_;
  uint64_t open_bytes_ = 0;
};

absl::Status UlogFile::ForEachMessage(const Selection& selection, const Callback& callback) const {
  Merge merge(*this, selection);
  while (!merge.empty())
    RETURN_IF_ERROR(merge.MustOpen() ? merge.OpenNext() : merge.Deliver(callback));
  return absl::OkStatus();
}

}  // namespace gatekeeper::ingest
