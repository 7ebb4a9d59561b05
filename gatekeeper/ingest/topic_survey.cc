#include "gatekeeper/ingest/topic_survey.h"

#include <algorithm>

#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/field_plan.h"

namespace gatekeeper::ingest {
namespace {

constexpr size_t kMostKept = 1 << 16;
constexpr int64_t kJumpNs = 1'000'000'000;
constexpr const char* kStampFields[] = {"header.stamp", "stamp", "timestamp"};

// The difference of two times, at its bound where it does not fit.
int64_t Difference(int64_t later, int64_t earlier) {
  int64_t difference = 0;
  if (__builtin_sub_overflow(later, earlier, &difference))
    return later < earlier ? INT64_MIN : INT64_MAX;
  return difference;
}

// The median of a stream in bounded memory: full, it forgets every second value and takes only
// every second one from then on.
class Median {
 public:
  void Add(int64_t value) {
    if (seen_++ % stride_ != 0) return;
    if (kept_.size() == kMostKept) {
      for (size_t i = 0; i < kept_.size() / 2; ++i) kept_[i] = kept_[2 * i];
      kept_.resize(kept_.size() / 2);
      stride_ *= 2;
      if ((seen_ - 1) % stride_ != 0) return;
    }
    kept_.push_back(value);
  }
  int64_t Value() {  // of an even number, the lower one
    if (kept_.empty()) return 0;
    const auto middle = kept_.begin() + static_cast<std::ptrdiff_t>((kept_.size() - 1) / 2);
    std::nth_element(kept_.begin(), middle, kept_.end());
    return *middle;
  }

 private:
  std::vector<int64_t> kept_;
  uint64_t seen_ = 0;
  uint64_t stride_ = 1;
};

class TopicWatch {
 public:
  explicit TopicWatch(const Topic& topic) {
    survey_.topic = topic.id;
    if (topic.message_encoding == "ulog") return;  // its timestamp is the log time
    const absl::StatusOr<std::vector<FieldName>> fields = FieldsOf(topic);
    if (!fields.ok()) return;
    for (const char* wanted : kStampFields) {
      const bool is_time =
          std::any_of(fields->begin(), fields->end(), [wanted](const FieldName& field) {
            return field.path == wanted &&
                   (field.type.ends_with("Time") || field.type.ends_with("Timestamp"));
          });
      if (!is_time) continue;
      absl::StatusOr<std::unique_ptr<FieldPlan>> plan = CompilePlan(topic, {wanted});
      if (!plan.ok()) continue;
      plan_ = *std::move(plan);
      survey_.stamp = wanted;
      return;
    }
  }

  void Add(const RawMessage& message) {
    const int64_t log_ns = message.log_time_ns;
    if (messages_ == 0) survey_.first_ns = log_ns;
    if (const int64_t gap = Difference(log_ns, survey_.last_ns);
        messages_ > 0 && gap > survey_.largest_gap_ns) {
      survey_.largest_gap_ns = gap;
      survey_.largest_gap_at_ns = log_ns;
    }
    if (const std::optional<int64_t> stamp = StampOf(message)) AddStamp(*stamp, log_ns);
    ++messages_;
    survey_.last_ns = log_ns;
    survey_.bytes += message.data.size();
  }

  TopicSurvey Finish() {
    const auto span = static_cast<double>(Difference(survey_.last_ns, survey_.first_ns));
    if (messages_ > 1 && span > 0)
      survey_.rate_hz = static_cast<double>(messages_ - 1) * 1e9 / span;
    // Publish times that all equal log times say nothing: many writers copy them.
    if (plan_ == nullptr && (!own_publish_time_ || stamps_ == 0)) return survey_;
    if (plan_ == nullptr) survey_.stamp = "publish_time";
    survey_.faults = faults_;
    if (stamps_ > 0)
      survey_.age = Ages{.messages = stamps_, .median_ns = median_.Value(), .max_ns = max_age_ns_};
    return survey_;
  }

 private:
  std::optional<int64_t> StampOf(const RawMessage& message) {
    if (plan_ == nullptr) {
      own_publish_time_ = own_publish_time_ || message.publish_time_ns != message.log_time_ns;
      return message.publish_time_ns;
    }
    const absl::Status read = plan_->Read(message.data, values_);
    if (!read.ok()) ++survey_.undecodable;
    if (!read.ok() || !values_[0].present) return std::nullopt;
    return values_[0].integer;
  }

  void AddStamp(int64_t stamp_ns, int64_t log_ns) {
    const int64_t age_ns = Difference(log_ns, stamp_ns);
    max_age_ns_ = stamps_ == 0 ? age_ns : std::max(max_age_ns_, age_ns);
    median_.Add(age_ns);
    if (stamp_ns == 0) ++faults_.zero;
    if (stamps_ > 0) {
      if (stamp_ns < stamp_ns_) ++faults_.backward;
      if (stamp_ns == stamp_ns_ && stamp_ns != 0 && log_ns > stamp_log_ns_) ++faults_.stuck;
      if (stamp_ns > stamp_ns_ && stamp_ns_ != 0 &&
          Difference(Difference(stamp_ns, stamp_ns_), Difference(log_ns, stamp_log_ns_)) > kJumpNs)
        ++faults_.jumps;
    }
    stamp_ns_ = stamp_ns;
    stamp_log_ns_ = log_ns;
    ++stamps_;
  }

  TopicSurvey survey_;
  std::unique_ptr<FieldPlan> plan_;
  std::vector<FieldValue> values_;
  bool own_publish_time_ = false;
  uint64_t messages_ = 0;
  uint64_t stamps_ = 0;
  int64_t stamp_ns_ = 0;      // the one before
  int64_t stamp_log_ns_ = 0;  // log time of its message
  int64_t max_age_ns_ = 0;
  Median median_;
  ClockFaults faults_;
};

}  // namespace

absl::StatusOr<std::vector<TopicSurvey>> SurveyTopics(const RecordingFile& file) {
  std::vector<TopicWatch> watches;
  for (const Topic& topic : file.topics()) watches.emplace_back(topic);
  RETURN_IF_ERROR(file.ForEachMessage({}, [&](const Topic& topic, const RawMessage& message) {
    watches[topic.id].Add(message);
    return absl::OkStatus();
  }));
  std::vector<TopicSurvey> surveys;
  for (TopicWatch& watch : watches) surveys.push_back(watch.Finish());
  return surveys;
}

}  // namespace gatekeeper::ingest
