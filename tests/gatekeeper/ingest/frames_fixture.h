#pragma once

#include <numbers>
#include <string>
#include <variant>
#include <vector>

#include "agent/recording/observation_reader.h"
#include "gatekeeper/ingest/channel_import.h"
#include "tests/gatekeeper/ingest/framed_bag.h"
#include "tests/support/temp_folder.h"

// A recording whose laser is not the robot's middle and whose odometry drifts, and its import.

namespace tests {

inline constexpr float kDegree = static_cast<float>(std::numbers::pi / 180);

class FramesTest : public testing::Test {
 protected:
  FramesTest() {
    (*map_.mutable_channels())["scan"].set_topic("/scan");
    (*map_.mutable_channels())["odom"].set_topic("/odom");
  }

  void Follow(const std::string& body, const std::string& site) {
    map_.mutable_frames()->set_body(body);
    map_.mutable_frames()->set_site(site);
  }
  void Only(const std::string& channel) {
    const std::string topic = map_.channels().at(channel).topic();
    map_.clear_channels();
    (*map_.mutable_channels())[channel].set_topic(topic);
  }

  absl::StatusOr<gatekeeper::ingest::Imported> Import(
      const gatekeeper::ingest::TimeRange& stretch = {}) {
    bag_.Write(folder_ / "bag.mcap");
    const auto file = gatekeeper::ingest::OpenRecording(folder_ / "bag.mcap");
    if (!file.ok()) return file.status();
    const auto importer = gatekeeper::ingest::Importer::For(**file, map_);
    if (!importer.ok()) return importer.status();
    notes_ = importer->notes();
    return importer->Write(stretch, folder_ / "out.mcap");
  }
  absl::Status Refusal() { return Import().status(); }

  std::vector<gatekeeper::v1::Observation> Packets() {
    std::vector<gatekeeper::v1::Observation> packets;
    const auto reader = agent::recording::ObservationReader::Open(folder_ / "out.mcap");
    EXPECT_OK(reader.status());
    EXPECT_OK(reader->ForEach([&](const agent::recording::RecordedItem& item) {
      if (const auto* packet = std::get_if<gatekeeper::v1::Observation>(&item.content))
        packets.push_back(*packet);
      return absl::OkStatus();
    }));
    return packets;
  }

  // Ten scans and poses, 0.1 s apart from 10 s on; the pose is x = t - 10 m in odom.
  void Drive(const std::string& scan_frame = "base_scan") {
    for (int i = 0; i < 10; ++i) {
      const double at_s = 10 + 0.1 * i;
      bag_.Scan({.stamp_s = at_s,
                 .frame = scan_frame,
                 .angle_min_rad = -90 * kDegree,
                 .increment_rad = 90 * kDegree,
                 .ranges_m = {1, 2, 3}});
      bag_.Odom({.stamp_s = at_s + 0.001, .x_m = at_s - 10, .vx_mps = 1});
    }
  }

  TempFolder folder_;
  FramedBag bag_;
  gatekeeper::v1::ImportMap map_;
  std::vector<std::string> notes_;
};

}  // namespace tests
