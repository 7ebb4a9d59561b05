#include "gatekeeper/ingest/rosbag_folder.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/files.h"
#include "agent/base/foreign_yaml.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/open_container.h"

namespace gatekeeper::ingest {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kMostMetadataBytes = 16 << 20;
constexpr size_t kMostFiles = 4096;
constexpr size_t kMostTogetherBytes = 128 << 20;  // of messages where files overlap in time

// The value at `path`, or null where the document ends before.
json Find(const json& document, std::initializer_list<const char*> path) {
  const json* at = &document;
  for (const char* key : path) {
    if (!at->is_object() || !at->contains(key)) return nullptr;
    at = &at->at(key);
  }
  return *at;
}

std::string TextOf(const json& value) { return value.is_string() ? value.get<std::string>() : ""; }

// -1 when it is no whole number.
int64_t NumberOf(const json& value) {
  int64_t number = -1;
  return absl::SimpleAtoi(TextOf(value), &number) ? number : -1;
}

// Paths are relative to the folder; bags of before 2020 put the folder's own name in front.
absl::StatusOr<std::string> Locate(const std::string& folder, const std::string& name) {
  const fs::path relative(name);
  if (name.empty() || relative.is_absolute() ||
      std::find(relative.begin(), relative.end(), "..") != relative.end())
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s/metadata.yaml names the file \"%.200s\", which is outside its folder", folder, name));
  for (const fs::path& candidate : {relative, relative.filename()}) {
    std::error_code absent;
    if (fs::is_regular_file(fs::path(folder) / candidate, absent))
      return (fs::path(folder) / candidate).string();
  }
  return absl::NotFoundError(
      absl::StrFormat("%s/metadata.yaml names the file %.200s, which is not there", folder, name));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RecordingFile>> RosbagFolder::Open(const std::string& folder) {
  const std::string path = folder + "/metadata.yaml";
  absl::StatusOr<std::string> text = agent::base::OsFiles().Read(path, kMostMetadataBytes);
  if (absl::IsNotFound(text.status()))
    return absl::NotFoundError(folder +
                               " has no metadata.yaml: name the recording itself, or let "
                               "`ros2 bag reindex` write one");
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(const json document, agent::base::ReadForeignYaml(*text, path));
  const json metadata = Find(document, {"rosbag2_bagfile_information"});
  const json names = Find(metadata, {"relative_file_paths"});
  if (!names.is_array() || names.empty() || names.size() > kMostFiles)
    return absl::InvalidArgumentError(
        absl::StrFormat("%s names no files (rosbag2_bagfile_information: relative_file_paths:), "
                        "or more than %d",
                        path, kMostFiles));
  std::unique_ptr<RosbagFolder> bag(new RosbagFolder);
  bag->folder_ = folder;
  for (const json& name : names) {
    ASSIGN_OR_RETURN(const std::string file, Locate(folder, TextOf(name)));
    RETURN_IF_ERROR(bag->AddFile(file));
  }
  std::stable_sort(bag->parts_.begin(), bag->parts_.end(), [](const Part& a, const Part& b) {
    return a.file->span().first_ns < b.file->span().first_ns;
  });
  for (Part& part : bag->parts_) bag->TakeTopics(part);
  bag->TakeFacts();
  bag->Compare(metadata);
  return bag;
}

absl::Status RosbagFolder::AddFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<Container> file, OpenContainer(path));
  parts_.push_back({.file = std::move(file), .topic_of = {}});
  return absl::OkStatus();
}

// The same topic of several files is one topic.
void RosbagFolder::TakeTopics(Part& part) {
  for (const Topic& topic : part.file->topics()) {
    const auto same = std::find_if(topics_.begin(), topics_.end(), [&topic](const Topic& known) {
      return known.name == topic.name && known.type == topic.type &&
             known.message_encoding == topic.message_encoding &&
             known.schema_encoding == topic.schema_encoding && known.schema == topic.schema;
    });
    part.topic_of.push_back(static_cast<uint32_t>(same - topics_.begin()));
    if (same != topics_.end()) {
      same->messages += topic.messages;
      continue;
    }
    topics_.push_back(topic);
    topics_.back().id = part.topic_of.back();
  }
}

Span RosbagFolder::span() const {
  Span span;
  for (const Part& part : parts_) {
    if (part.file->span().empty()) continue;
    span.Add(part.file->span().first_ns);
    span.Add(part.file->span().last_ns);
  }
  return span;
}

void RosbagFolder::TakeFacts() {
  std::set<std::string> containers;
  std::set<std::string> writers;
  std::set<std::string> compressions;
  std::set<std::string> checksums;
  for (const Part& part : parts_) {
    const FileFacts& facts = part.file->facts();
    containers.insert(facts.container);
    if (!facts.writer.empty()) writers.insert(facts.writer);
    compressions.insert(facts.compression);
    checksums.insert(facts.checksums);
    facts_.files.insert(facts_.files.end(), facts.files.begin(), facts.files.end());
    facts_.notes.insert(facts_.notes.end(), facts.notes.begin(), facts.notes.end());
  }
  const std::string container = absl::StrJoin(containers, ", ");
  facts_.container = container.starts_with("rosbag2") ? container + ", folder"
                                                      : "rosbag2 " + container + ", folder";
  facts_.writer = absl::StrJoin(writers, ", ");
  facts_.compression = absl::StrJoin(compressions, ", ");
  facts_.checksums = checksums.size() == 1 ? *checksums.begin() : "some";
}

// What metadata.yaml states beside what was read.
void RosbagFolder::Compare(const json& metadata) {
  std::map<std::string, int64_t> read;
  Span span;
  int64_t all = 0;
  for (const Topic& topic : topics_) {
    read[topic.name] += static_cast<int64_t>(topic.messages);
    all += static_cast<int64_t>(topic.messages);
  }
  for (const Part& part : parts_)
    if (const Span& one = part.file->span(); !one.empty()) {
      span.Add(one.first_ns);
      span.Add(one.last_ns);
    }
  const auto note = [this](const std::string& what, int64_t stated, int64_t found) {
    if (stated >= 0 && stated != found)
      facts_.notes.push_back(absl::StrFormat("%s/metadata.yaml states %s %d; the files have %d",
                                             folder_, what, stated, found));
  };
  note("message_count", NumberOf(Find(metadata, {"message_count"})), all);
  if (!span.empty()) {
    note("starting_time", NumberOf(Find(metadata, {"starting_time", "nanoseconds_since_epoch"})),
         span.first_ns);
    note("duration", NumberOf(Find(metadata, {"duration", "nanoseconds"})),
         span.last_ns - span.first_ns);
  }
  const json topics = Find(metadata, {"topics_with_message_count"});
  for (const json& topic : topics.is_array() ? topics : json::array()) {
    const std::string name = TextOf(Find(topic, {"topic_metadata", "name"}));
    const auto found = read.find(name);
    note(absl::StrFormat("for topic %.200s message_count", name),
         NumberOf(Find(topic, {"message_count"})), found == read.end() ? 0 : found->second);
  }
}

// The selection cut wherever a file begins or ends, so that in each stretch the same files are
// read.
std::vector<RosbagFolder::Stretch> RosbagFolder::Stretches(const Selection& selection) const {
  std::set<int64_t> starts;
  for (const Part& part : parts_) {
    const Span& span = part.file->span();
    if (span.empty() || span.last_ns < selection.from_ns || span.first_ns > selection.to_ns)
      continue;
    starts.insert(std::max(span.first_ns, selection.from_ns));
    if (span.last_ns < selection.to_ns) starts.insert(span.last_ns + 1);
  }
  std::vector<Stretch> stretches;
  for (auto start = starts.begin(); start != starts.end(); ++start) {
    const auto next = std::next(start);
    stretches.push_back({*start, next == starts.end() ? selection.to_ns : *next - 1});
  }
  return stretches;
}

absl::Status RosbagFolder::ForEachMessage(const Selection& selection,
                                          const Callback& callback) const {
  for (const Stretch& stretch : Stretches(selection)) {
    std::vector<const Part*> parts;
    for (const Part& part : parts_) {
      const Span& span = part.file->span();
      if (span.first_ns <= stretch.to_ns && span.last_ns >= stretch.from_ns) parts.push_back(&part);
    }
    Selection here = selection;
    here.from_ns = stretch.from_ns;
    here.to_ns = stretch.to_ns;
    if (parts.size() > 1) {
      RETURN_IF_ERROR(ReadTogether(parts, here, callback));
    } else if (parts.size() == 1) {
      const Part& part = *parts.front();
      RETURN_IF_ERROR(
          part.file->ForEachMessage(here, [&](const Topic& topic, const RawMessage& message) {
            return callback(topics_[part.topic_of[topic.id]], message);
          }));
    }
  }
  return absl::OkStatus();
}

// Files that overlap: rosbag2 splits while its writers still hold messages, so this is little.
absl::Status RosbagFolder::ReadTogether(const std::vector<const Part*>& parts,
                                        const Selection& selection,
                                        const Callback& callback) const {
  struct Kept {
    uint32_t topic;
    RawMessage message;
    std::string data;
  };
  std::vector<Kept> kept;
  size_t bytes = 0;
  for (const Part* part : parts)
    RETURN_IF_ERROR(part->file->ForEachMessage(
        selection, [&](const Topic& topic, const RawMessage& message) -> absl::Status {
          bytes += sizeof(Kept) + message.data.size();
          if (bytes > kMostTogetherBytes)
            return absl::ResourceExhaustedError(
                absl::StrFormat("%s: its files overlap in time by more than %d MiB of messages",
                                folder_, kMostTogetherBytes >> 20));
          kept.push_back({part->topic_of[topic.id], message, std::string(message.data)});
          return absl::OkStatus();
        }));
  std::stable_sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) {
    return a.message.log_time_ns < b.message.log_time_ns;
  });
  for (Kept& one : kept) {
    one.message.data = one.data;
    RETURN_IF_ERROR(callback(topics_[one.topic], one.message));
  }
  return absl::OkStatus();
}

}  // namespace gatekeeper::ingest
