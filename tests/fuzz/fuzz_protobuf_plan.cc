#include "agent/recording/foxglove_codec.h"
#include "gatekeeper/ingest/field_plan.h"
#include "proto/foxglove.pb.h"
#include "tests/fuzz/target.h"

// A message of protobuf's, and a descriptor set that nobody vouches for.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 300'000, .per_input_byte = 512};

namespace {

using gatekeeper::ingest::FieldValue;
using gatekeeper::ingest::Topic;

Topic TopicOf(const std::string& schema) {
  return {.name = "/t",
          .type = "foxglove.LaserScan",
          .message_encoding = "protobuf",
          .schema_encoding = "protobuf",
          .schema = schema};
}

std::string ScanSchema() { return agent::recording::SchemaOf(*foxglove::LaserScan::descriptor()); }

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  foxglove::LaserScan scan;
  scan.mutable_timestamp()->set_seconds(1'700'000'000);
  scan.mutable_pose()->mutable_position()->set_x(2);
  scan.set_frame_id("laser");
  scan.set_start_angle(-1);
  for (int beam = 0; beam < 8; ++beam) scan.add_ranges(beam);
  return {scan.SerializeAsString(), ScanSchema(), "\x0b\x0b\x0c\x0c", ""};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::Text(data, size);
  const std::vector<std::string> paths = {"timestamp", "ranges", "ranges[3]", "pose.position.x",
                                          "frame_id"};
  const auto plan = gatekeeper::ingest::CompilePlan(TopicOf(ScanSchema()), paths);
  fuzz::Check(plan.ok(), "a schema of ours is refused");
  std::vector<FieldValue> values;
  const bool read = (*plan)->Read(bytes, values).ok();
  foxglove::LaserScan parsed;
  // What libprotobuf takes, and no field of which has another type, is read.
  if (read) {
    fuzz::Check(values[1].numbers.size() <= size, "more values than bytes");
    if (parsed.ParseFromArray(data, static_cast<int>(size))) {
      fuzz::Check(values[1].numbers.size() == static_cast<size_t>(parsed.ranges_size()),
                  "other ranges than libprotobuf's");
    }
  }
  const Topic hostile = TopicOf(std::string(bytes));
  const auto other = gatekeeper::ingest::CompilePlan(hostile, {"ranges"});
  if (other.ok()) (*other)->Read(bytes, values).IgnoreError();
  gatekeeper::ingest::FieldsOf(hostile).status().IgnoreError();
  return 0;
}
