#pragma once

#include <string>
#include <vector>

#include "gatekeeper/ingest/recording_file.h"
#include "gatekeeper/ingest/topic_survey.h"

namespace gatekeeper::cli {

// What a recording holds, for people: facts, one line a topic with messages (times counted from the
// recording's first message), topics without, notes.
std::string RecordingText(const ingest::RecordingFile& file,
                          const std::vector<ingest::TopicSurvey>& surveys);

// The same for programs: times in nanoseconds, absent where nothing is known.
std::string RecordingJson(const ingest::RecordingFile& file,
                          const std::vector<ingest::TopicSurvey>& surveys);

}  // namespace gatekeeper::cli
