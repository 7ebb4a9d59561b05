#include "gatekeeper/cli/recording_view.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "gatekeeper/cli/table.h"
#include "gatekeeper/cli/utc_time.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::cli {
namespace {

using ingest::RecordingFile;
using ingest::Topic;
using ingest::TopicSurvey;
using Json = nlohmann::ordered_json;

// "12.3 ms", "4.2 s": three digits, in the unit that suits.
std::string Duration(int64_t ns) {
  const double value = static_cast<double>(ns);
  const double size = std::abs(value);
  if (size < 1e3) return absl::StrFormat("%d ns", ns);
  if (size < 1e6) return absl::StrFormat("%.3g us", value / 1e3);
  if (size < 1e9) return absl::StrFormat("%.3g ms", value / 1e6);
  return absl::StrFormat("%.*f s", size < 1e11 ? 2 : 0, value / 1e9);
}

std::string FaultsOf(const TopicSurvey& survey) {
  const std::pair<uint64_t, const char*> kinds[] = {{survey.faults.zero, "zero"},
                                                    {survey.faults.backward, "backward"},
                                                    {survey.faults.stuck, "stuck"},
                                                    {survey.faults.jumps, "jumps"},
                                                    {survey.undecodable, "undecodable"}};
  std::vector<std::string> found;
  for (const auto& [count, name] : kinds)
    if (count > 0) found.push_back(absl::StrCat(count, " ", name));
  return found.empty() ? "-" : absl::StrJoin(found, ", ");
}

std::string EncodingOf(const Topic& topic) {
  if (topic.schema_encoding.empty() || topic.schema_encoding == topic.message_encoding)
    return topic.message_encoding;
  return topic.message_encoding + "/" + topic.schema_encoding;
}

struct Whole {
  uint64_t messages = 0;
  int64_t first_ns = INT64_MAX;
  int64_t last_ns = INT64_MIN;
};

Whole WholeOf(const RecordingFile& file, const std::vector<TopicSurvey>& surveys) {
  Whole whole;
  for (const TopicSurvey& survey : surveys) {
    const uint64_t messages = file.topics()[survey.topic].messages;
    whole.messages += messages;
    if (messages == 0) continue;
    whole.first_ns = std::min(whole.first_ns, survey.first_ns);
    whole.last_ns = std::max(whole.last_ns, survey.last_ns);
  }
  return whole;
}

std::string Heading(const RecordingFile& file, const Whole& whole) {
  const ingest::FileFacts& facts = file.facts();
  std::string text = absl::StrJoin(facts.files, "\n") + "\n";
  absl::StrAppend(&text, facts.container, ", compression ", facts.compression, ", checksums ",
                  facts.checksums);
  if (!facts.writer.empty()) absl::StrAppend(&text, ", written by ", facts.writer);
  if (whole.messages > 0)
    absl::StrAppend(&text, "\n", whole.messages, " messages in ",
                    Duration(whole.last_ns - whole.first_ns), " from ",
                    UtcTime(whole.first_ns / 1'000'000), " UTC");
  return text + "\n";
}

std::string TopicTable(const RecordingFile& file, const std::vector<TopicSurvey>& surveys,
                       const Whole& whole) {
  Table table({"TOPIC", "TYPE", "ENCODING", "COUNT", "RATE", "FIRST", "LAST", "GAP", "AGE",
               "AGE MAX", "CLOCK"});
  std::vector<std::string> silent;
  for (const TopicSurvey& survey : surveys) {
    const Topic& topic = file.topics()[survey.topic];
    if (topic.messages == 0) {
      silent.push_back(topic.name);
      continue;
    }
    table.Add({topic.name, topic.type, EncodingOf(topic), absl::StrCat(topic.messages),
               survey.rate_hz > 0 ? absl::StrFormat("%.4g Hz", survey.rate_hz) : "-",
               Duration(survey.first_ns - whole.first_ns),
               Duration(survey.last_ns - whole.first_ns),
               topic.messages > 1 ? Duration(survey.largest_gap_ns) : "-",
               survey.age ? Duration(survey.age->median_ns) : "-",
               survey.age ? Duration(survey.age->max_ns) : "-", FaultsOf(survey)});
  }
  std::string text = table.Text();
  if (!silent.empty()) absl::StrAppend(&text, "no messages: ", absl::StrJoin(silent, ", "), "\n");
  return text;
}

Json TopicJson(const Topic& topic, const TopicSurvey& survey) {
  Json json = {{"name", topic.name},
               {"type", topic.type},
               {"message_encoding", topic.message_encoding},
               {"schema_encoding", topic.schema_encoding},
               {"messages", topic.messages}};
  if (topic.messages == 0) return json;
  json["bytes"] = survey.bytes;
  json["first_ns"] = survey.first_ns;
  json["last_ns"] = survey.last_ns;
  json["rate_hz"] = survey.rate_hz;
  json["largest_gap_ns"] = survey.largest_gap_ns;
  json["largest_gap_at_ns"] = survey.largest_gap_at_ns;
  json["undecodable"] = survey.undecodable;
  if (survey.stamp.empty()) return json;
  json["stamp"] = survey.stamp;
  if (survey.age)
    json["age"] = {{"messages", survey.age->messages},
                   {"median_ns", survey.age->median_ns},
                   {"max_ns", survey.age->max_ns}};
  json["clock_faults"] = {{"zero", survey.faults.zero},
                          {"backward", survey.faults.backward},
                          {"stuck", survey.faults.stuck},
                          {"jumps", survey.faults.jumps}};
  return json;
}

}  // namespace

std::string RecordingText(const RecordingFile& file, const std::vector<TopicSurvey>& surveys) {
  const Whole whole = WholeOf(file, surveys);
  std::string text = Heading(file, whole) + TopicTable(file, surveys, whole);
  for (const std::string& note : file.facts().notes) absl::StrAppend(&text, "note: ", note, "\n");
  return text;
}

std::string RecordingJson(const RecordingFile& file, const std::vector<TopicSurvey>& surveys) {
  const ingest::FileFacts& facts = file.facts();
  const Whole whole = WholeOf(file, surveys);
  Json json = {{"files", facts.files},         {"container", facts.container},
               {"writer", facts.writer},       {"compression", facts.compression},
               {"checksums", facts.checksums}, {"messages", whole.messages}};
  if (whole.messages > 0) {
    json["first_ns"] = whole.first_ns;
    json["last_ns"] = whole.last_ns;
  }
  json["notes"] = facts.notes;
  json["topics"] = Json::array();
  for (const TopicSurvey& survey : surveys)
    json["topics"].push_back(TopicJson(file.topics()[survey.topic], survey));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gatekeeper::cli
