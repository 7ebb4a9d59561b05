// Recordings beside the compression libraries themselves: the same chunks, with nothing of MCAP
// around them.

#include <fcntl.h>
#include <lz4frame.h>
#include <unistd.h>
#include <zstd.h>

#include <cmath>
#include <random>

#include "agent/base/unique_fd.h"
#include "agent/recording/foxglove_codec.h"
#include "agent/recording/mcap_codec.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/observation_writer.h"
#include "gatekeeper/ingest/field_plan.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"
#include "proto/foxglove.pb.h"
#include "tests/bench/measure.h"
#include "tests/support/temp_folder.h"

namespace {

namespace recording = agent::recording;
namespace v1 = gatekeeper::v1;
using bench::Bench;
using bench::Must;
using bench::Timings;
using recording::Compression;

constexpr uint8_t kChunkOpcode = 0x06;  // of the MCAP specification
constexpr int kZstdLevel = 1;           // what the flight recorder writes with
constexpr int kBeams = 360;
constexpr bench::Rounds kLong{.rounds = 15, .stopwatch = bench::Stopwatch::kThreadCpu};
constexpr bench::Rounds kDisk{.rounds = 9, .stopwatch = bench::Stopwatch::kWall};

// Scans of a room with a millimetre of noise, as a laser gives them.
std::vector<v1::Observation> MakePackets(int count) {
  std::minstd_rand random(7);
  std::vector<v1::Observation> packets(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    v1::Observation& packet = packets[static_cast<size_t>(i)];
    const int64_t stamp_ns = int64_t{i + 1} * 50'000'000;
    packet.set_seq(static_cast<uint64_t>(i) + 1);
    packet.set_stamp_ns(stamp_ns);
    packet.set_want_command(true);
    v1::LaserScan& scan = *packet.mutable_scan();
    scan.set_stamp_ns(stamp_ns);
    scan.set_angle_min_rad(-2.3562);
    scan.set_angle_increment_rad(0.0131);
    for (int beam = 0; beam < kBeams; ++beam) {
      const double room_m = 4 + 3 * std::sin(0.02 * beam + 0.001 * i);
      const auto noise_mm = static_cast<double>(random() % 9) - 4;
      scan.add_ranges_m(static_cast<float>(std::round(room_m * 1000 + noise_mm) / 1000));
    }
    packet.mutable_odom()->set_stamp_ns(stamp_ns);
    packet.mutable_odom()->set_x_m(0.02 * i);
    packet.mutable_odom()->set_vx_mps(0.4);
  }
  return packets;
}

void WriteRecording(const std::string& path, Compression compression,
                    const std::vector<v1::Observation>& packets) {
  auto writer =
      Must(recording::ObservationWriter::Create(path, {.mcap = {.compression = compression}}));
  for (const v1::Observation& packet : packets) {
    Must(writer.Write(packet, agent::base::Nanos(packet.stamp_ns())));
  }
  Must(writer.Close());
}

// A chunk of a recording, as it stands there.
struct Packed {
  std::string bytes;
  size_t size = 0;  // unpacked
};

std::vector<Packed> ChunksOf(const std::string& path) {
  std::vector<Packed> chunks;
  const auto reader = Must(recording::McapReader::Open(path));
  Must(reader.ForEachRecord([&](const recording::Record& record) -> absl::Status {
    if (record.opcode != kChunkOpcode) return absl::OkStatus();
    const recording::Chunk chunk = Must(recording::DecodeChunk(record.body));
    chunks.push_back({std::string(chunk.records), chunk.uncompressed_size});
    return absl::OkStatus();
  }));
  return chunks;
}

void UnpackZstd(const Packed& chunk, std::string& room) {
  const size_t made =
      ZSTD_decompress(room.data(), room.size(), chunk.bytes.data(), chunk.bytes.size());
  if (made != chunk.size) bench::GiveUp("libzstd does not unpack the chunk");
}

void UnpackLz4(const Packed& chunk, std::string& room) {
  LZ4F_dctx* context = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) {
    bench::GiveUp("no memory for lz4");
  }
  size_t made = room.size();
  size_t taken = chunk.bytes.size();
  const size_t left =
      LZ4F_decompress(context, room.data(), &made, chunk.bytes.data(), &taken, nullptr);
  LZ4F_freeDecompressionContext(context);
  if (left != 0 || made != chunk.size) bench::GiveUp("liblz4 does not unpack the chunk");
}

std::string RoomFor(const std::vector<Packed>& chunks) {
  size_t most = 0;
  for (const Packed& chunk : chunks) most = std::max(most, chunk.size);
  return std::string(most, '\0');
}

void MeasureRead(Bench& bench, const std::string& path, Compression compression) {
  const std::vector<Packed> chunks = ChunksOf(path);
  std::string room = RoomFor(chunks);
  size_t bytes = 0;
  for (const Packed& chunk : chunks) bytes += chunk.size;
  const bool zstd = compression == Compression::kZstd;
  const std::vector<Timings> timings =
      bench.Interleave(kLong, {[&] {
                                 for (const Packed& chunk : chunks) {
                                   zstd ? UnpackZstd(chunk, room) : UnpackLz4(chunk, room);
                                 }
                               },
                               [&] {
                                 const auto reader = Must(recording::McapReader::Open(path));
                                 size_t messages = 0;
                                 Must(reader.ForEachMessage({}, [&](const auto&, const auto&) {
                                   ++messages;
                                   return absl::OkStatus();
                                 }));
                                 bench::DoNotOptimize(messages);
                               },
                               [&] {
                                 const auto reader = Must(recording::ObservationReader::Open(path));
                                 size_t items = 0;
                                 Must(reader.ForEach([&](const recording::RecordedItem&) {
                                   ++items;
                                   return absl::OkStatus();
                                 }));
                                 bench::DoNotOptimize(items);
                               }});
  const double bare_ns = timings[0].p50_ns();
  const std::string name(recording::CompressionName(compression));
  const std::string target = zstd ? ">= 0.7 x libzstd" : ">= 0.5 x liblz4";
  bench.Print("read_" + name + "/bare", static_cast<double>(bytes) * 1e3 / bare_ns, "MB/s");
  bench.Print("read_" + name + "/messages", bare_ns / timings[1].p50_ns(), "x rate of lib" + name);
  bench.Print("read_" + name + "/observations", bare_ns / timings[2].p50_ns(),
              "x rate of lib" + name, target);
}

// Chunks packed, appended to a file and synced: the least that any recorder does.
void WriteBare(const std::string& path, const std::vector<std::string>& chunks) {
  const agent::base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  for (const std::string& chunk : chunks) {
    std::string packed(ZSTD_compressBound(chunk.size()), '\0');
    const size_t size =
        ZSTD_compress(packed.data(), packed.size(), chunk.data(), chunk.size(), kZstdLevel);
    if (ZSTD_isError(size) || write(fd.get(), packed.data(), size) != static_cast<ssize_t>(size)) {
      bench::GiveUp("the plain file cannot be written");
    }
  }
  if (fdatasync(fd.get()) != 0) bench::GiveUp("the plain file cannot be synced");
}

void MeasureWrite(Bench& bench, const tests::TempFolder& folder, const std::string& recorded,
                  const std::vector<v1::Observation>& packets) {
  std::vector<std::string> chunks;
  size_t bytes = 0;
  for (const Packed& packed : ChunksOf(recorded)) {
    std::string room(packed.size, '\0');
    UnpackZstd(packed, room);
    bytes += room.size();
    chunks.push_back(std::move(room));
  }
  const std::vector<Timings> timings = bench.Interleave(
      kDisk, {[&] { WriteBare(folder / "plain", chunks); },
              [&] { WriteRecording(folder / "ours.mcap", Compression::kZstd, packets); }});
  const double bare_ns = timings[0].p50_ns();
  bench.Print("write_zstd/bare", static_cast<double>(bytes) * 1e3 / bare_ns, "MB/s");
  bench.Print("write_zstd/observations", bare_ns / timings[1].p50_ns(),
              "x rate of libzstd and fdatasync");
}

// Somebody else's protobuf topic, of which the program knows the descriptors of the recording only.
// Both sides read the frame, the first angle and every range of the same scans.
void MeasureFields(Bench& bench, const std::vector<v1::Observation>& packets) {
  namespace ingest = gatekeeper::ingest;
  std::vector<std::string> messages;
  for (const v1::Observation& packet : packets) {
    foxglove::LaserScan scan = recording::ToFoxglove(packet.scan());
    scan.set_frame_id("laser");
    messages.push_back(scan.SerializeAsString());
  }
  const std::string schema = recording::SchemaOf(*foxglove::LaserScan::descriptor());
  const auto plan = Must(ingest::CompilePlan({.name = "/scan",
                                              .type = "foxglove.LaserScan",
                                              .message_encoding = "protobuf",
                                              .schema_encoding = "protobuf",
                                              .schema = schema},
                                             {"frame_id", "start_angle", "ranges"}));
  google::protobuf::FileDescriptorSet set;
  google::protobuf::DescriptorPool pool;
  if (!set.ParseFromString(schema)) bench::GiveUp("the schema does not parse");
  for (const auto& file : set.file()) pool.BuildFile(file);
  const auto* const type = pool.FindMessageTypeByName("foxglove.LaserScan");
  const auto* const frame = type->FindFieldByName("frame_id");
  const auto* const angle = type->FindFieldByName("start_angle");
  const auto* const ranges = type->FindFieldByName("ranges");
  google::protobuf::DynamicMessageFactory factory;
  const std::unique_ptr<google::protobuf::Message> dynamic(factory.GetPrototype(type)->New());
  std::vector<ingest::FieldValue> values;
  std::string room;
  const std::vector<Timings> timings = bench.Interleave(
      kLong,
      {[&] {
         double sum = 0;
         for (const std::string& message : messages) {
           if (!dynamic->ParseFromString(message)) bench::GiveUp("a scan does not parse");
           const auto& reflection = *dynamic->GetReflection();
           sum += reflection.GetDouble(*dynamic, angle);
           sum += static_cast<double>(reflection.GetStringReference(*dynamic, frame, &room).size());
           const int count = reflection.FieldSize(*dynamic, ranges);
           for (int i = 0; i < count; ++i) {
             sum += reflection.GetRepeatedDouble(*dynamic, ranges, i);
           }
         }
         bench::DoNotOptimize(sum);
       },
       [&] {
         double sum = 0;
         for (const std::string& message : messages) {
           Must(plan->Read(message, values));
           sum += values[1].number + static_cast<double>(values[0].text.size());
           for (const double range : values[2].numbers) sum += range;
         }
         bench::DoNotOptimize(sum);
       }});
  bench.Print("fields/reflection", timings[0].p50_ns() / static_cast<double>(messages.size()),
              "ns a scan");
  bench.Print("fields/plan", timings[0].p50_ns() / timings[1].p50_ns(), "x rate of DynamicMessage",
              ">= 4 x");
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("recording", argc, argv);
  const tests::TempFolder folder;
  const std::vector<v1::Observation> packets = MakePackets(bench.Sized(12'000, 100));
  for (const Compression compression : {Compression::kZstd, Compression::kLz4}) {
    const std::string path =
        folder / (std::string(recording::CompressionName(compression)) + ".mcap");
    WriteRecording(path, compression, packets);
    MeasureRead(bench, path, compression);
  }
  MeasureFields(bench, packets);
  MeasureWrite(bench, folder, folder / "zstd.mcap", packets);
  return 0;
}
