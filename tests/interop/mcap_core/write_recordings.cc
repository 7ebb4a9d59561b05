// write_recordings FOLDER: writes recordings as a robot would, and prints every message of them in
// the form of list.mjs.

#include <cinttypes>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "agent/recording/mcap_writer.h"
#include "agent/trust/hash.h"

namespace {

using agent::recording::Compression;
using agent::recording::McapWriter;
using agent::recording::Message;

struct Kind {
  const char* name;
  Compression compression;
};
constexpr Kind kKinds[] = {{"plain.mcap", Compression::kNone},
                           {"lz4.mcap", Compression::kLz4},
                           {"zstd.mcap", Compression::kZstd}};
constexpr size_t kMessages = 3000;  // some thirty chunks

absl::Status WriteOne(const std::string& path, Compression compression) {
  auto writer = McapWriter::Create(
      path, {.profile = "", .compression = compression, .chunk_bytes = 32 << 10});
  if (!writer.ok()) return writer.status();
  const auto schema = writer->AddSchema("example", "jsonschema", R"({"type": "object"})");
  if (!schema.ok()) return schema.status();
  std::vector<std::pair<std::string, uint16_t>> channels;
  for (const char* topic : {"/scan", "/odom", "/empty"}) {
    const auto id = writer->AddChannel(*schema, topic, "json", {{"unit", "m"}});
    if (!id.ok()) return id.status();
    channels.emplace_back(topic, *id);
  }
  std::minstd_rand random(7);
  for (size_t i = 0; i < kMessages; ++i) {
    const auto& [topic, id] = channels[random() % channels.size()];
    std::string data(topic == "/empty" ? 0 : random() % 700, '\0');
    for (char& byte : data) byte = static_cast<char>(random() % 50);
    const Message message{.channel_id = id,
                          .sequence = static_cast<uint32_t>(i),
                          .log_time_ns = 1'700'000'000'000'000'000 + i * 10'000'000,
                          .publish_time_ns = 1'700'000'000'000'000'000 + i * 9'999'999,
                          .data = data};
    if (const absl::Status wrote = writer->Write(message); !wrote.ok()) return wrote;
    std::printf("%s %" PRIu32 " %" PRIu64 " %" PRIu64 " %s\n", topic.c_str(), message.sequence,
                message.log_time_ns, message.publish_time_ns,
                agent::trust::Sha256(data).hex().c_str());
  }
  if (const absl::Status added = writer->Write(agent::recording::Attachment{
          .log_time_ns = 1, .create_time_ns = 2, .name = "map", .media_type = "x", .data = "y"});
      !added.ok())
    return added;
  if (const absl::Status added =
          writer->Write(agent::recording::Metadata{.name = "robot", .values = {{"name", "r1"}}});
      !added.ok())
    return added;
  return writer->Close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (const Kind& kind : kKinds) {
    std::printf("%s\n", kind.name);
    const absl::Status wrote = WriteOne(std::string(argv[1]) + "/" + kind.name, kind.compression);
    if (wrote.ok()) continue;
    std::fprintf(stderr, "%s\n", wrote.ToString().c_str());
    return 1;
  }
  return 0;
}
