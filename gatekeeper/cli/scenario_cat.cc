#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "absl/strings/str_format.h"
#include "agent/base/nearest_name.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/ingest/field_plan.h"
#include "gatekeeper/ingest/recording_file.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::cli {
namespace {

using ingest::FieldName;
using ingest::MessagePrinter;
using ingest::RawMessage;
using ingest::RecordingFile;
using ingest::Topic;

struct CatArguments {
  std::string file;
  std::vector<std::string> topics;
  std::optional<double> from_s;  // since the recording's first message
  std::optional<double> to_s;
  uint64_t most = 0;  // 0: all
  bool fields = false;
};

// Ends a reading early; nobody sees it.
absl::Status Enough() { return absl::CancelledError("enough"); }
absl::Status UnlessEnough(const absl::Status& status) {
  return absl::IsCancelled(status) ? absl::OkStatus() : status;
}

absl::Status CheckTopics(const RecordingFile& file, const std::vector<std::string>& wanted) {
  std::vector<std::string> known;
  for (const Topic& topic : file.topics()) known.push_back(topic.name);
  for (const std::string& name : wanted) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string nearest = agent::base::NearestName(name, known);
    return absl::NotFoundError(
        absl::StrFormat("the recording has no topic '%s'%s", name,
                        nearest.empty() ? "; `gatekeeper scenario info` lists them"
                                        : absl::StrFormat("; did you mean '%s'?", nearest)));
  }
  return absl::OkStatus();
}

bool IsWanted(const CatArguments& request, const Topic& topic) {
  return request.topics.empty() || std::find(request.topics.begin(), request.topics.end(),
                                             topic.name) != request.topics.end();
}

absl::Status PrintFields(const RecordingFile& file, const CatArguments& request) {
  for (const Topic& topic : file.topics()) {
    if (!IsWanted(request, topic)) continue;
    const auto fields = ingest::FieldsOf(topic);
    if (!fields.ok() && request.topics.empty()) {
      std::fprintf(stderr, "%s\n", std::string(fields.status().message()).c_str());
      continue;
    }
    RETURN_IF_ERROR(fields.status());
    for (const FieldName& field : *fields) {
      std::printf("%s %s %s\n", topic.name.c_str(), field.path.c_str(), field.type.c_str());
    }
  }
  return absl::OkStatus();
}

// Prints messages as they come. A topic or message that cannot be shown is said once a topic and
// counted: the others are shown all the same.
class Printer {
 public:
  Printer(int64_t first_ns, uint64_t most) : first_ns_(first_ns), most_(most) {}

  absl::Status Print(const Topic& topic, const RawMessage& message) {
    const auto [at, is_new] = printers_.try_emplace(topic.id, absl::UnknownError(""));
    if (is_new) at->second = MessagePrinter::For(topic);
    if (!at->second.ok()) {
      Note(topic, std::string(at->second.status().message()));
      return absl::OkStatus();
    }
    const absl::StatusOr<std::string> text = at->second->ToJson(message.data);
    if (!text.ok()) {
      ++damaged_;
      Note(topic, absl::StrFormat("topic %s at %.3f s: %s", topic.name, Second(message),
                                  std::string(text.status().message())));
      return absl::OkStatus();
    }
    std::printf("{\"topic\":%s,\"type\":%s,\"log_time_ns\":%lld,\"at_s\":%.6f,\"message\":%s}\n",
                nlohmann::json(topic.name).dump().c_str(),
                nlohmann::json(topic.type).dump().c_str(),
                static_cast<long long>(message.log_time_ns), Second(message), text->c_str());
    return ++printed_ == most_ || std::ferror(stdout) != 0 ? Enough() : absl::OkStatus();
  }

  // Encodings that are not read are no fault; messages that contradict their definition are.
  absl::Status Finish() const {
    if (damaged_ == 0) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrFormat("%d messages are not what the recording says they are", damaged_));
  }

 private:
  double Second(const RawMessage& message) const {
    return static_cast<double>(message.log_time_ns - first_ns_) * 1e-9;
  }

  void Note(const Topic& topic, const std::string& what) {
    if (noted_.insert(topic.id).second) std::fprintf(stderr, "%s\n", what.c_str());
  }

  int64_t first_ns_;
  uint64_t most_;
  uint64_t printed_ = 0;
  uint64_t damaged_ = 0;
  std::set<uint32_t> noted_;  // topics
  std::map<uint32_t, absl::StatusOr<MessagePrinter>> printers_;
};

absl::Status Cat(const CatArguments& request) {
  ASSIGN_OR_RETURN(const auto file, ingest::OpenRecording(request.file));
  RETURN_IF_ERROR(CheckTopics(*file, request.topics));
  if (request.fields) return PrintFields(*file, request);
  if (file->span().empty()) return absl::NotFoundError("the recording has no message");
  const int64_t first_ns = file->span().first_ns;
  ingest::Selection selection{.topics = {request.topics.begin(), request.topics.end()}};
  const auto since_first = [&](double seconds) {
    return first_ns + static_cast<int64_t>(seconds * 1e9);
  };
  if (request.from_s) selection.from_ns = since_first(*request.from_s);
  if (request.to_s) selection.to_ns = since_first(*request.to_s);
  Printer printer(first_ns, request.most);
  RETURN_IF_ERROR(UnlessEnough(
      file->ForEachMessage(selection, [&](const Topic& topic, const RawMessage& message) {
        return printer.Print(topic, message);
      })));
  return printer.Finish();
}

}  // namespace

void AddScenarioCat(CLI::App& scenario, Session& session) {
  constexpr double kLongestS = 1e9;  // 31 years
  auto request = std::make_shared<CatArguments>();
  CLI::App* cat = scenario.add_subcommand(
      "cat", "messages of any recording as JSON, one a line: for jq and for eyes");
  cat->add_option("FILE", request->file,
                  "MCAP, rosbag2 (.db3 or its folder), ULog, or one of these in .zstd")
      ->required();
  cat->add_option("--topic", request->topics, "only this topic (may be given again)");
  cat->add_option("--from", request->from_s, "seconds since the recording's first message")
      ->check(CLI::Range(0.0, kLongestS));
  cat->add_option("--to", request->to_s, "last second, included")
      ->check(CLI::Range(0.0, kLongestS));
  cat->add_option("-n", request->most, "at most so many messages");
  cat->add_flag("--fields", request->fields,
                "instead of messages, the paths that an import map may name");
  cat->callback([request, &session] { session.exit_code = Report(Cat(*request)); });
}

}  // namespace gatekeeper::cli
