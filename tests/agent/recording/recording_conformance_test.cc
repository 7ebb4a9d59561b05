#include <map>
#include <string>

#include "agent/base/strict_json.h"
#include "agent/recording/mcap_codec.h"
#include "agent/recording/mcap_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/support/importers/archive.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::recording {
namespace {

using nlohmann::json;

// The published suite prints numbers as text and bytes as lists of numbers in text.
std::string Text(uint64_t number) { return std::to_string(number); }

json Bytes(std::string_view bytes) {
  json list = json::array();
  for (const char c : bytes) list.push_back(Text(static_cast<uint8_t>(c)));
  return list;
}

template <class Map>
json Numbers(const Map& map) {
  json object = json::object();
  for (const auto& [key, value] : map) object[Text(key)] = Text(value);
  return object;
}

json Fields(const Header& r) { return {{"library", r.library}, {"profile", r.profile}}; }
json Fields(const Footer& r) {
  return {{"summary_crc", Text(r.summary_crc)},
          {"summary_offset_start", Text(r.summary_offset_start)},
          {"summary_start", Text(r.summary_start)}};
}
json Fields(const Schema& r) {
  return {{"data", Bytes(r.data)}, {"encoding", r.encoding}, {"id", Text(r.id)}, {"name", r.name}};
}
json Fields(const Channel& r) {
  return {{"id", Text(r.id)},
          {"message_encoding", r.message_encoding},
          {"metadata", r.metadata},
          {"schema_id", Text(r.schema_id)},
          {"topic", r.topic}};
}
json Fields(const Message& r) {
  return {{"channel_id", Text(r.channel_id)},
          {"data", Bytes(r.data)},
          {"log_time", Text(r.log_time_ns)},
          {"publish_time", Text(r.publish_time_ns)},
          {"sequence", Text(r.sequence)}};
}
json Fields(const ChunkIndex& r) {
  return {{"chunk_length", Text(r.chunk_length)},
          {"chunk_start_offset", Text(r.chunk_offset)},
          {"compressed_size", Text(r.compressed_size)},
          {"compression", r.compression},
          {"message_end_time", Text(r.end_time_ns)},
          {"message_index_length", Text(r.message_index_length)},
          {"message_index_offsets", Numbers(r.message_index_offsets)},
          {"message_start_time", Text(r.start_time_ns)},
          {"uncompressed_size", Text(r.uncompressed_size)}};
}
json Fields(const Attachment& r) {
  return {{"create_time", Text(r.create_time_ns)},
          {"data", Bytes(r.data)},
          {"log_time", Text(r.log_time_ns)},
          {"media_type", r.media_type},
          {"name", r.name}};
}
json Fields(const AttachmentIndex& r) {
  return {{"create_time", Text(r.create_time_ns)},
          {"data_size", Text(r.data_size)},
          {"length", Text(r.length)},
          {"log_time", Text(r.log_time_ns)},
          {"media_type", r.media_type},
          {"name", r.name},
          {"offset", Text(r.offset)}};
}
json Fields(const Statistics& r) {
  return {{"attachment_count", Text(r.attachment_count)},
          {"channel_count", Text(r.channel_count)},
          {"channel_message_counts", Numbers(r.channel_message_counts)},
          {"chunk_count", Text(r.chunk_count)},
          {"message_count", Text(r.message_count)},
          {"message_end_time", Text(r.message_end_time_ns)},
          {"message_start_time", Text(r.message_start_time_ns)},
          {"metadata_count", Text(r.metadata_count)},
          {"schema_count", Text(r.schema_count)}};
}
json Fields(const Metadata& r) { return {{"metadata", r.values}, {"name", r.name}}; }
json Fields(const MetadataIndex& r) {
  return {{"length", Text(r.length)}, {"name", r.name}, {"offset", Text(r.offset)}};
}
json Fields(const SummaryOffset& r) {
  return {{"group_length", Text(r.group_length)},
          {"group_opcode", Text(r.group_opcode)},
          {"group_start", Text(r.group_start)}};
}
json Fields(const DataEnd& r) { return {{"data_section_crc", Text(r.data_section_crc)}}; }

// What the suite's "pad" vectors put behind the fields of records that may grow in later versions.
constexpr std::string_view kPadding("\x01\xff\xff", 3);

bool MayGrow(std::string_view type) {
  return type != "Message" && type != "DataEnd" && type != "Footer";
}

// What a streamed reader prints of a file, and the same records encoded again.
struct Printed {
  bool padded = false;
  json records = json::array();
  std::string encoded;
  bool in_chunk = false;  // where the suite pads nothing

  // Lengthens the record that stands at `start` of `encoded`, at its end.
  void Pad(size_t start) {
    encoded += kPadding;
    const uint64_t length = encoded.size() - start - kRecordPrefix;
    for (size_t i = 0; i < sizeof(length); ++i)
      encoded[start + 1 + i] = static_cast<char>(length >> (8 * i));
  }

  template <class T>
  void EncodeAgain(std::string_view type, const T& record) {
    const size_t start = encoded.size();
    Encode(record, encoded);
    if (padded && !in_chunk && MayGrow(type)) Pad(start);
  }

  template <class T>
  absl::Status Print(const std::string& type, const absl::StatusOr<T>& record) {
    if (!record.ok()) return record.status();
    records.push_back({{"type", type}, {"fields", Fields(*record)}});
    EncodeAgain(type, *record);
    return absl::OkStatus();
  }

  absl::Status PrintRecord(const Record& r) {
    switch (static_cast<Opcode>(r.opcode)) {
      case Opcode::kHeader:
        return Print("Header", DecodeHeader(r.body));
      case Opcode::kFooter:
        return Print("Footer", DecodeFooter(r.body));
      case Opcode::kSchema:
        return Print("Schema", DecodeSchema(r.body));
      case Opcode::kChannel:
        return Print("Channel", DecodeChannel(r.body));
      case Opcode::kMessage:
        return Print("Message", DecodeMessage(r.body));
      case Opcode::kChunk:
        return PrintChunk(r);
      case Opcode::kMessageIndex:
        return EncodeIndex(r);
      case Opcode::kChunkIndex:
        return Print("ChunkIndex", DecodeChunkIndex(r.body));
      case Opcode::kAttachment:
        return Print("Attachment", DecodeAttachment(r.body));
      case Opcode::kAttachmentIndex:
        return Print("AttachmentIndex", DecodeAttachmentIndex(r.body));
      case Opcode::kStatistics:
        return Print("Statistics", DecodeStatistics(r.body));
      case Opcode::kMetadata:
        return Print("Metadata", DecodeMetadata(r.body));
      case Opcode::kMetadataIndex:
        return Print("MetadataIndex", DecodeMetadataIndex(r.body));
      case Opcode::kSummaryOffset:
        return Print("SummaryOffset", DecodeSummaryOffset(r.body));
      case Opcode::kDataEnd:
        return Print("DataEnd", DecodeDataEnd(r.body));
    }
    return absl::DataLossError("a record of an unknown kind");
  }

  absl::Status PrintChunk(const Record& r) {
    const absl::StatusOr<Chunk> chunk = DecodeChunk(r.body);
    if (!chunk.ok()) return chunk.status();
    std::string_view rest = chunk->records;
    std::string inside;
    std::swap(inside, encoded);
    in_chunk = true;
    while (!rest.empty()) {
      const absl::StatusOr<Record> nested = TakeRecord(rest, chunk->records.size());
      if (!nested.ok()) return nested.status();
      const absl::Status status = PrintRecord(*nested);
      if (!status.ok()) return status;
    }
    in_chunk = false;
    std::swap(inside, encoded);
    Chunk again = *chunk;
    again.records = inside;
    Encode(again, encoded);
    return absl::OkStatus();
  }

  // The suite does not print message indexes.
  absl::Status EncodeIndex(const Record& r) {
    const absl::StatusOr<MessageIndex> index = DecodeMessageIndex(r.body);
    if (!index.ok()) return index.status();
    EncodeAgain("MessageIndex", *index);
    return absl::OkStatus();
  }
};

// Expected fields come as a list of pairs.
json Expected(const json& document) {
  json records = json::array();
  for (const json& record : document["records"]) {
    json fields = json::object();
    for (const json& pair : record["fields"]) fields[pair[0].get<std::string>()] = pair[1];
    records.push_back({{"type", record["type"]}, {"fields", fields}});
  }
  return records;
}

size_t MessagesIn(const json& records) {
  size_t count = 0;
  for (const json& record : records) count += record["type"] == "Message" ? 1 : 0;
  return count;
}

void CheckVector(const std::string& name, const std::string& path, const std::string& bytes,
                 const json& expected) {
  SCOPED_TRACE(name);
  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(path));
  Printed printed;
  printed.padded = name.find("-pad") != std::string::npos;
  ASSERT_OK(reader.ForEachRecord(
      [&printed](const Record& record) { return printed.PrintRecord(record); }));
  EXPECT_EQ(printed.records, expected);
  EXPECT_TRUE(std::string(kMcapMagic) + printed.encoded + std::string(kMcapMagic) == bytes)
      << "encoding what was read gives other bytes";

  size_t messages = 0;
  uint64_t last = 0;
  ASSERT_OK(reader.ForEachMessage({}, [&](const Channel&, const Message& message) {
    EXPECT_GE(message.log_time_ns, last);
    last = message.log_time_ns;
    ++messages;
    return absl::OkStatus();
  }));
  EXPECT_EQ(messages, MessagesIn(expected));
}

TEST(RecordingConformanceTest, ReadsAndEncodesEveryPublishedVector) {
  const std::string archive = tests::SharedRecording("mcap-conformance/mcap-conformance.tar.gz");
  SKIP_WITHOUT(archive);
  ASSERT_OK_AND_ASSIGN(const std::string tar, tests::ReadGzip(archive));
  std::map<std::string, std::string> files;
  ASSERT_OK(tests::ForEachTarFile(tar, [&files](std::string_view name, std::string_view content) {
    files.emplace(name, content);
    return absl::OkStatus();
  }));
  tests::TempFolder folder;
  size_t vectors = 0;
  for (const auto& [name, bytes] : files) {
    if (!name.ends_with(".mcap")) continue;
    const std::string stem = name.substr(0, name.size() - 5);
    ASSERT_OK_AND_ASSIGN(const json document,
                         base::ParseStrictJson(files.at(stem + ".json"), stem + ".json"));
    const std::string path = folder / "vector.mcap";
    tests::WriteBytes(path, bytes);
    CheckVector(name, path, bytes, Expected(document));
    ++vectors;
  }
  EXPECT_EQ(vectors, 416u);
}

struct Foreign {
  const char* file;
  size_t messages;
};

// Written by libmcap 0.8 and 1.1 and by a Go writer; counts by independent parsers.
TEST(RecordingConformanceTest, ReadsWhatOtherWritersWrote) {
  SKIP_WITHOUT(tests::SharedRecording("rosbag2"));
  for (const Foreign& foreign :
       {Foreign{"rosbags-rs_all_types.mcap", 188}, Foreign{"talker.mcap", 20},
        Foreign{"wbag_0.mcap", 1246}, Foreign{"wbag_4.mcap", 1108}, Foreign{"cdr_test_0.mcap", 7},
        Foreign{"only_topics.mcap", 7}, Foreign{"topics_and_services.mcap", 13},
        Foreign{"test_bag_for_seek_0.mcap", 5}}) {
    SCOPED_TRACE(foreign.file);
    ASSERT_OK_AND_ASSIGN(
        const McapReader reader,
        McapReader::Open(tests::SharedRecording(std::string("rosbag2/") + foreign.file)));
    size_t messages = 0;
    ASSERT_OK(reader.ForEachMessage({}, [&messages](const Channel&, const Message&) {
      ++messages;
      return absl::OkStatus();
    }));
    EXPECT_EQ(messages, foreign.messages);
  }
}

}  // namespace
}  // namespace agent::recording
