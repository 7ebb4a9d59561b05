#include "gatekeeper/ingest/ulog_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/record_walk.h"

namespace gatekeeper::ingest {
namespace {

constexpr uint64_t kSegmentBytes = 1 << 20;
constexpr size_t kMostSchemaBytes = 64 << 20;  // of all topics together
constexpr size_t kFlagBytes = 8;               // of each of the two sets of flags
constexpr int kAppendedOffsets = 3;
constexpr uint8_t kDataAppended = 1;  // the one incompatible flag that is known

// Microseconds of the autopilot as nanoseconds; what cannot be one stays the latest of all.
int64_t Nanoseconds(uint64_t us) {
  constexpr uint64_t kMost = INT64_MAX / 1000;
  return us > kMost ? INT64_MAX : static_cast<int64_t>(us * 1000);
}

}  // namespace

absl::Status UlogFile::At(uint64_t offset, const absl::Status& status) const {
  const absl::StatusCode code =
      absl::IsOutOfRange(status) ? absl::StatusCode::kDataLoss : status.code();
  return absl::Status(code, absl::StrFormat("%s: byte %d: %s", source_.name, offset,
                                            std::string(status.message())));
}

absl::StatusOr<std::unique_ptr<Container>> UlogFile::Open(const Source& source) {
  std::unique_ptr<UlogFile> file(new UlogFile(source));
  file->fd_ = agent::base::UniqueFd(open(source.path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!file->fd_.valid() || fstat(file->fd_.get(), &info) != 0)
    return absl::ErrnoToStatus(errno, "cannot open the recording " + source.name);
  file->size_ = static_cast<uint64_t>(info.st_size);
  RETURN_IF_ERROR(file->ReadHeader());
  uint64_t from = kUlogFileHeader;
  RETURN_IF_ERROR(file->ScanSection(from, file->size_));
  for (size_t i = 0; i < file->appended_.size(); ++i) {
    from = file->appended_[i];
    const bool last = i + 1 == file->appended_.size();
    RETURN_IF_ERROR(file->ScanSection(from, last ? file->size_ : file->appended_[i + 1]));
  }
  file->StateFacts();
  return file;
}

absl::Status UlogFile::ReadHeader() {
  if (size_ < kUlogFileHeader)
    return absl::DataLossError(source_.name + " is shorter than the header of a ULog file");
  std::string header(kUlogFileHeader, '\0');
  RETURN_IF_ERROR(agent::recording::ReadAt(fd_.get(), 0, kUlogFileHeader, header.data()));
  UlogTaker taker(header);
  taker.Bytes(kUlogMagic.size());
  const int version = taker.Number<uint8_t>();
  if (version > 1)
    return absl::InvalidArgumentError(
        absl::StrFormat("%s is ULog version %d; 0 and 1 are known", source_.name, version));
  facts_.container = absl::StrCat("ulog ", version);
  time_ns_ = start_ns_ = Nanoseconds(taker.Number<uint64_t>());
  return absl::OkStatus();
}

// A section that breaks off is read up to there: autopilots lose power in flight.
absl::Status UlogFile::ScanSection(uint64_t from, uint64_t to) {
  UlogWalk walk(fd_.get(), from, to);
  const size_t first = segments_.size();
  while (true) {
    const uint64_t offset = walk.offset();
    const absl::StatusOr<std::optional<UlogMessage>> message = walk.Next();
    if (absl::IsOutOfRange(message.status()) || absl::IsDataLoss(message.status())) {
      facts_.notes.push_back(absl::StrFormat(
          "%s breaks off at byte %d: the %d bytes behind it are lost (%s)", source_.name, offset,
          to - offset, std::string(message.status().message())));
      return absl::OkStatus();
    }
    if (!message.ok()) return At(offset, message.status());
    if (!message->has_value()) return absl::OkStatus();
    if (segments_.size() == first || offset - segments_.back().from >= kSegmentBytes)
      segments_.push_back({.from = offset, .to = offset, .span = {}, .time_before_ns = time_ns_});
    const absl::Status status = OnMessage(**message);
    if (!status.ok()) return At(offset, status);
    segments_.back().to = walk.offset();
    if (from == kUlogFileHeader && !appended_.empty()) walk.EndAt(to = appended_.front());
  }
}

absl::Status UlogFile::OnMessage(const UlogMessage& message) {
  switch (message.type) {
    case 'B':
      return OnFlags(message.body);
    case 'F':
      return formats_.Add(message.body);
    case 'A':
      return Subscribe(message);
    case 'I':
      OnInfo(message.body);
      return absl::OkStatus();
    case 'O': {
      const uint64_t ms = UlogTaker(message.body).Number<uint16_t>();
      ++dropouts_;
      dropout_ms_ += ms;
      longest_dropout_ms_ = std::max(longest_dropout_ms_, ms);
      return absl::OkStatus();
    }
    case 'L':
    case 'C':
      JsonTopic("logged_messages", "ulog_logged_message");
      OnEntry(message);
      return absl::OkStatus();
    case 'P':
      JsonTopic("parameters", "ulog_parameter");
      OnEntry(message);
      return absl::OkStatus();
    case 'D':
      OnEntry(message);
      return absl::OkStatus();
    default:  // 'M', 'Q', 'R', 'S', and what later versions add
      return absl::OkStatus();
  }
}

absl::Status UlogFile::OnFlags(std::string_view body) {
  UlogTaker taker(body);
  taker.Bytes(kFlagBytes);  // compatible: may be ignored
  const std::string_view flags = taker.Bytes(kFlagBytes);
  for (size_t i = 0; i < flags.size(); ++i)
    if ((static_cast<uint8_t>(flags[i]) & ~(i == 0 ? kDataAppended : 0)) != 0)
      return absl::UnimplementedError("the log has incompatible flags that are not known here");
  for (int i = 0; i < kAppendedOffsets; ++i) {
    const auto offset = taker.Number<uint64_t>();
    if (offset == 0 || flags.empty() || flags[0] == 0) continue;
    const uint64_t least = appended_.empty() ? kUlogFileHeader : appended_.back();
    if (offset <= least || offset > size_)
      return absl::DataLossError("appended data lies outside the file or out of order");
    appended_.push_back(offset);
  }
  if (!taker.ok()) return absl::DataLossError("the flags are cut off");
  return absl::OkStatus();
}

absl::Status UlogFile::Subscribe(const UlogMessage& message) {
  UlogTaker taker(message.body);
  const int instance = taker.Number<uint8_t>();
  const size_t id = taker.Number<uint16_t>();
  const std::string type(taker.Rest());
  if (!taker.ok()) return absl::DataLossError("a subscription is cut off");
  ASSIGN_OR_RETURN(const UlogFormats::Layout layout, formats_.LayoutOf(type));
  const std::string name = instance == 0 ? type : absl::StrCat(type, "/", instance);
  subscriptions_.resize(std::max(subscriptions_.size(), id + 1));
  if (subscriptions_[id]) {
    if (topics_[subscriptions_[id]->topic].name == name) return absl::OkStatus();
    return absl::DataLossError(absl::StrFormat("message id %d is given to two topics", id));
  }
  schema_bytes_ += layout.schema.size();
  if (schema_bytes_ > kMostSchemaBytes)
    return absl::ResourceExhaustedError("the topics' definitions need more than 64 MiB");
  Topic topic;
  topic.id = static_cast<uint32_t>(topics_.size());
  topic.name = name;
  topic.type = type;
  topic.message_encoding = topic.schema_encoding = "ulog";
  topic.schema = layout.schema;
  topics_.push_back(std::move(topic));
  subscriptions_[id] = Subscription{.topic = topics_.back().id,
                                    .known_from = message.offset,
                                    .stamp_offset = layout.stamp_offset};
  return absl::OkStatus();
}

// "char[3] sys_name" and its value; only texts are of interest.
void UlogFile::OnInfo(std::string_view body) {
  UlogTaker taker(body);
  const std::string_view key = taker.Bytes(taker.Number<uint8_t>());
  const std::string_view value = taker.Rest();
  const size_t space = key.find(' ');
  if (!taker.ok() || !key.starts_with("char[") || space == std::string_view::npos) return;
  info_[std::string(key.substr(space + 1))] = std::string(value);
}

uint32_t UlogFile::JsonTopic(std::string name, std::string type) {
  for (const Topic& topic : topics_)
    if (topic.message_encoding == "json" && topic.type == type) return topic.id;
  Topic topic;
  topic.id = static_cast<uint32_t>(topics_.size());
  topic.name = std::move(name);
  topic.type = std::move(type);
  topic.message_encoding = "json";
  topics_.push_back(topic);
  for (const char kind : topic.name == "parameters" ? std::string("P") : std::string("LC"))
    json_topics_[kind] = topic.id;
  return topic.id;
}

std::optional<UlogFile::Entry> UlogFile::Interpret(const UlogMessage& message,
                                                   int64_t time_before_ns) const {
  UlogTaker taker(message.body);
  Entry entry{.type = message.type, .time_ns = time_before_ns, .body = message.body};
  if (message.type == 'D') {
    const size_t id = taker.Number<uint16_t>();
    entry.body = taker.Rest();
    if (!taker.ok() || id >= subscriptions_.size() || !subscriptions_[id] ||
        subscriptions_[id]->known_from > message.offset)
      return std::nullopt;
    entry.topic = subscriptions_[id]->topic;
    taker = UlogTaker(entry.body);
    taker.Bytes(subscriptions_[id]->stamp_offset);
    entry.time_ns = Nanoseconds(taker.Number<uint64_t>());
  } else {
    entry.topic = json_topics_.at(message.type);
    taker.Bytes(message.type == 'P' ? 0 : message.type == 'C' ? 3 : 1);  // level, and a tag
    if (message.type != 'P') entry.time_ns = Nanoseconds(taker.Number<uint64_t>());
  }
  if (!taker.ok()) return std::nullopt;
  return entry;
}

void UlogFile::OnEntry(const UlogMessage& message) {
  const std::optional<Entry> entry = Interpret(message, time_ns_);
  if (!entry) {
    if (unreadable_++ == 0) first_unreadable_ = message.offset;
    return;
  }
  time_ns_ = entry->time_ns;
  ++topics_[entry->topic].messages;
  span_.Add(entry->time_ns);
  segments_.back().span.Add(entry->time_ns);
}

void UlogFile::StateFacts() {
  facts_.compression = "none";
  facts_.checksums = "none";
  for (const char* key : {"sys_name", "ver_sw_branch", "ver_hw"})
    if (const auto found = info_.find(key); found != info_.end())
      absl::StrAppend(&facts_.writer, facts_.writer.empty() ? "" : " ", found->second);
  if (dropouts_ > 0)
    facts_.notes.push_back(
        absl::StrFormat("the logger dropped data %d times, %d ms together, the longest %d ms",
                        dropouts_, dropout_ms_, longest_dropout_ms_));
  if (unreadable_ > 0)
    facts_.notes.push_back(absl::StrFormat(
        "%d messages belong to no subscription or are cut off, the first at byte %d", unreadable_,
        first_unreadable_));
}

}  // namespace gatekeeper::ingest
