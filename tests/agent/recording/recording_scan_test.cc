#include <algorithm>
#include <limits>
#include <random>
#include <string>

#include "agent/recording/foxglove_codec.h"
#include "agent/recording/scan_wire.h"
#include "gtest/gtest.h"
#include "tests/support/cases.h"

namespace agent::recording {
namespace {

namespace v1 = ::gatekeeper::v1;

// What protobuf makes of the bytes; false: nothing.
bool ReadByProtobuf(const std::string& bytes, v1::LaserScan& out) {
  ::foxglove::LaserScan message;
  if (!message.ParseFromString(bytes)) return false;
  FromFoxglove(message, out);
  return true;
}

// A scan as another program may write it: every field, odd numbers.
::foxglove::LaserScan Foreign() {
  ::foxglove::LaserScan scan;
  scan.mutable_timestamp()->set_seconds(-3);
  scan.mutable_timestamp()->set_nanos(999'999'999);
  scan.set_frame_id("laser");
  scan.mutable_pose()->mutable_position()->set_x(0.2);
  scan.mutable_pose()->mutable_orientation()->set_z(1);
  scan.set_start_angle(-1.5);
  scan.set_end_angle(1.25);
  for (const double range : {0.1, 0.0, 3.0, 1e300, -1.0, std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::denorm_min()})
    scan.add_ranges(range);
  scan.add_intensities(7);
  return scan;
}

std::string Bytes(const ::foxglove::LaserScan& scan) { return scan.SerializeAsString(); }

TEST(ScanWireTest, ReadsWhatProtobufReads) {
  ::foxglove::LaserScan one = Foreign();
  one.clear_ranges();
  one.add_ranges(2);
  v1::LaserScan read;
  read.add_ranges_m(8);
  for (const ::foxglove::LaserScan& scan :
       {Foreign(), one, ::foxglove::LaserScan(), ToFoxglove(v1::LaserScan())}) {
    // `read` holds the scan before, of which nothing may be left.
    v1::LaserScan wanted;
    ASSERT_TRUE(ReadByProtobuf(Bytes(scan), wanted));
    ASSERT_TRUE(ReadScan(Bytes(scan), read));
    EXPECT_EQ(read.SerializeAsString(), wanted.SerializeAsString());
  }
}

TEST(ScanWireTest, LeavesWhatWritersDoNotWriteToProtobuf) {
  const std::string whole = Bytes(Foreign());
  ::foxglove::LaserScan umlaut = Foreign();
  umlaut.set_frame_id("K\xc3\xb6rper");
  v1::LaserScan read;
  EXPECT_TRUE(ReadScan(whole, read));
  EXPECT_FALSE(ReadScan(Bytes(umlaut), read)) << "protobuf wants UTF-8, and checks it";
  EXPECT_FALSE(ReadScan(whole + whole, read)) << "the later value counts";
  EXPECT_FALSE(ReadScan(whole + '\x48' + '\x01', read)) << "a field of a later version";
  EXPECT_FALSE(ReadScan(std::string("\x31\0\0\0\0\0\0\0\0", 9), read)) << "a range by itself";
  EXPECT_FALSE(ReadScan(std::string("\x32\x04\0\0\0\0", 6), read)) << "half a range";
  EXPECT_FALSE(ReadScan(std::string("\x0a\x0b\x08") + std::string(9, '\xff') + '\x02', read))
      << "seconds beyond 64 bits";
}

TEST(ScanWireTest, EndsNowhereButAtTheEnd) {
  const std::string whole = Bytes(Foreign());
  v1::LaserScan read;
  v1::LaserScan wanted;
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    if (!ReadScan(cut, read)) continue;
    ASSERT_TRUE(ReadByProtobuf(cut, wanted)) << size;
    EXPECT_EQ(read.SerializeAsString(), wanted.SerializeAsString()) << size;
  }
}

TEST(ScanWireTest, NeverReadsWhatProtobufReadsOtherwise) {
  std::minstd_rand random(5);
  const std::string whole = Bytes(Foreign());
  int both = 0;
  for (int n = 0; n < tests::Cases(40'000); ++n) {
    std::string bytes = whole;
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes) {
      // The ranges are most of it, and any bytes are ranges.
      bytes[random() % std::min<size_t>(bytes.size(), 90)] = static_cast<char>(random());
      if (random() % 8 == 0) bytes.erase(random() % bytes.size(), 1);
      if (random() % 8 == 0) bytes.insert(random() % bytes.size(), 1, static_cast<char>(random()));
    }
    v1::LaserScan read;
    if (!ReadScan(bytes, read)) continue;
    v1::LaserScan wanted;
    ASSERT_TRUE(ReadByProtobuf(bytes, wanted)) << n;
    ASSERT_EQ(read.SerializeAsString(), wanted.SerializeAsString()) << n;
    ++both;
  }
  EXPECT_GT(both, tests::Cases(40'000) / 10);
}

}  // namespace
}  // namespace agent::recording
