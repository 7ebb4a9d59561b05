#include <string>
#include <vector>

#include "gatekeeper/ingest/recording_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/ingest/ulog_bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::ingest {
namespace {

using testing::_;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using tests::StatusIs;
using tests::UlogBytes;

constexpr char kPower[] = "power:uint64_t timestamp;float volt;cell[2] cells;uint8_t[4] _padding0;";
constexpr char kCell[] = "cell:uint16_t mv;uint8_t id;uint8_t _padding0;";
const std::string kPowerRest(16, 'p');

class UlogTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<RecordingFile>> Open(const std::string& bytes) {
    tests::WriteBytes(folder_ / "log.ulg", bytes);
    return OpenRecording(folder_ / "log.ulg");
  }
  static std::vector<std::string> Lines(const RecordingFile& file) {
    std::vector<std::string> lines;
    EXPECT_OK(file.ForEachMessage({}, [&](const Topic& topic, const RawMessage& message) {
      EXPECT_EQ(message.publish_time_ns, message.log_time_ns);
      lines.push_back(std::to_string(message.log_time_ns / 1000) + " " + topic.name + " " +
                      (topic.message_encoding == "json" ? std::string(message.data)
                                                        : std::to_string(message.data.size())));
      return absl::OkStatus();
    }));
    return lines;
  }
  static UlogBytes Small() {
    return UlogBytes().Format(kPower).Format(kCell).Subscribe(3, "power").Subscribe(4, "power", 1);
  }

  tests::TempFolder folder_;
};

TEST_F(UlogTest, InstancesAreTopicsAndMessagesComeInOrderOfTheirStamps) {
  ASSERT_OK_AND_ASSIGN(const auto file, Open(Small()
                                                 .Data(3, 3000, kPowerRest)
                                                 .Data(4, 2000, kPowerRest)
                                                 .Data(3, 4000, kPowerRest)
                                                 .bytes()));
  EXPECT_THAT(Lines(*file), ElementsAre("2000 power/1 24", "3000 power 24", "4000 power 24"));
  ASSERT_EQ(file->topics().size(), 2u);
  EXPECT_EQ(file->topics()[0].type, "power");
  EXPECT_EQ(file->topics()[0].messages, 2u);
  EXPECT_EQ(file->topics()[0].schema, std::string(kPower) + "\n" + kCell + "\n");
  EXPECT_EQ(file->topics()[1].type, "power");
  EXPECT_THAT(file->facts().notes, IsEmpty());
}

TEST_F(UlogTest, TheStampIsFoundWhereverTheFormatHasIt) {
  ASSERT_OK_AND_ASSIGN(const auto file,
                       Open(UlogBytes()
                                .Format("late:uint8_t[3] x;cell c;uint64_t timestamp;")
                                .Format(kCell)
                                .Subscribe(0, "late")
                                .Add('D', UlogBytes::Number(uint16_t{0}) + std::string(7, 'x') +
                                              UlogBytes::Number(uint64_t{77}))
                                .bytes()));
  EXPECT_THAT(Lines(*file), ElementsAre("77 late 15"));
}

TEST_F(UlogTest, LogLinesAndParametersAreJson) {
  ASSERT_OK_AND_ASSIGN(
      const auto file,
      Open(Small()
               .Parameter("float MC_ROLL_P", 0x3f000000)
               .Data(3, 5000, kPowerRest)
               .Parameter("int32_t SYS_ID", 0xffffffff)
               .Add('L', "4" + UlogBytes::Number(uint64_t{6000}) + "low battery \xff")
               .Add('C', "6" + UlogBytes::Number(uint16_t{9}) + UlogBytes::Number(uint64_t{7000}) +
                             "tagged")
               .bytes()));
  EXPECT_THAT(
      Lines(*file),
      ElementsAre(R"(1000 parameters {"name":"MC_ROLL_P","value":0.5})", "5000 power 24",
                  R"(5000 parameters {"name":"SYS_ID","value":-1})",
                  "6000 logged_messages {\"level\":4,\"text\":\"low battery \xEF\xBF\xBD\"}",
                  R"(7000 logged_messages {"level":6,"tag":9,"text":"tagged"})"));
}

TEST_F(UlogTest, DropoutsAndStrayMessagesAreNoted) {
  ASSERT_OK_AND_ASSIGN(const auto file, Open(Small()
                                                 .Add('O', UlogBytes::Number(uint16_t{30}))
                                                 .Add('O', UlogBytes::Number(uint16_t{12}))
                                                 .Data(5, 1, "of nobody")
                                                 .Add('D', UlogBytes::Number(uint16_t{3}) + "short")
                                                 .Data(3, 2000, kPowerRest)
                                                 .bytes()));
  EXPECT_THAT(Lines(*file), ElementsAre("2000 power 24"));
  EXPECT_THAT(
      file->facts().notes,
      ElementsAre("the logger dropped data 2 times, 42 ms together, the longest 30 ms",
                  StartsWith("2 messages belong to no subscription or are cut off, the first")));
}

TEST_F(UlogTest, ACutAnywhereKeepsWhatStandsBeforeIt) {
  UlogBytes log = Small();
  std::vector<size_t> ends;
  for (uint64_t i = 0; i < 20; ++i) {
    log.Data(3 + i % 2, 1000 * (i + 1), kPowerRest);
    ends.push_back(log.bytes().size());
  }
  for (size_t size = 0; size <= log.bytes().size(); ++size) {
    SCOPED_TRACE(size);
    const auto file = Open(log.bytes().substr(0, size));
    if (size < 16) {
      ASSERT_THAT(file.status(), StatusIs(size < 7 ? absl::StatusCode::kInvalidArgument
                                                   : absl::StatusCode::kDataLoss,
                                          HasSubstr("log.ulg")));
      continue;
    }
    ASSERT_OK(file);
    size_t whole = 0;
    while (whole < ends.size() && ends[whole] <= size) ++whole;
    ASSERT_EQ(Lines(**file).size(), whole);
    if (whole == 0) continue;  // a cut between two definitions is no cut
    const bool cut = size != ends[whole - 1];
    ASSERT_EQ((*file)->facts().notes.size(), cut ? 1u : 0u);
    if (cut) {
      ASSERT_THAT((*file)->facts().notes[0],
                  HasSubstr("breaks off at byte " + std::to_string(ends[whole - 1])));
    }
  }
}

TEST_F(UlogTest, PagesThatNeverReachedTheDiskEndTheLog) {
  ASSERT_OK_AND_ASSIGN(const auto file,
                       Open(Small().Data(3, 2000, kPowerRest).bytes() + std::string(4096, '\0')));
  EXPECT_THAT(Lines(*file), ElementsAre("2000 power 24"));
  EXPECT_THAT(file->facts().notes, ElementsAre(HasSubstr("the 4096 bytes behind it are lost")));
}

TEST_F(UlogTest, DataAppendedAfterACrashIsRead) {
  const auto make = [](uint64_t appended) {
    return UlogBytes()
        .Flags(1, appended)
        .Format(kPower)
        .Format(kCell)
        .Subscribe(3, "power")
        .Data(3, 2000, kPowerRest)
        .bytes();
  };
  const std::string half = std::string("\x1a\0D", 3) + "half";  // the crash was here
  const std::string before = make(make(0).size() + half.size()) + half;
  const std::string after = UlogBytes().Data(3, 1500, kPowerRest).bytes().substr(16);
  ASSERT_OK_AND_ASSIGN(const auto file, Open(before + after));
  EXPECT_THAT(Lines(*file), ElementsAre("1500 power 24", "2000 power 24"));
  EXPECT_THAT(file->facts().notes, ElementsAre(HasSubstr("the 7 bytes behind it are lost")));
}

TEST_F(UlogTest, ManyStretchesOfTheFileAreMergedByTime) {
  UlogBytes log = Small();
  const std::string heavy(60'000, 'p');
  for (uint64_t i = 0; i < 100; ++i) log.Data(3, (i * 37 % 100 + 1) * 1000, heavy);
  ASSERT_OK_AND_ASSIGN(const auto file, Open(log.bytes()));
  int64_t last = 0;
  size_t count = 0;
  ASSERT_OK(file->ForEachMessage({}, [&](const Topic&, const RawMessage& message) {
    EXPECT_EQ(message.log_time_ns, last + 1'000'000);
    last = message.log_time_ns;
    ++count;
    return absl::OkStatus();
  }));
  EXPECT_EQ(count, 100u);
}

struct BadLog {
  const char* what;
  std::string bytes;
  absl::StatusCode code;
  const char* says;
};

TEST_F(UlogTest, WhatCanNotBeReadIsRefusedWithItsReason) {
  std::string wide = "wide:uint64_t timestamp;";
  for (int i = 0; i < 3; ++i) wide += "uint8_t[400000] a" + std::to_string(i) + ";";
  const std::vector<BadLog> logs = {
      {"version", UlogBytes(0, 2).bytes(), absl::StatusCode::kInvalidArgument, "version 2"},
      {"flags", UlogBytes().Flags(2, 0).bytes(), absl::StatusCode::kUnimplemented, "incompatible"},
      {"append", UlogBytes().Flags(1, 1 << 20).bytes(), absl::StatusCode::kDataLoss, "outside"},
      {"format", UlogBytes().Format("power uint8_t x").bytes(), absl::StatusCode::kDataLoss, "no"},
      {"field", UlogBytes().Format("p:uint8_t;").bytes(), absl::StatusCode::kDataLoss, "no field"},
      {"count", UlogBytes().Format("p:uint8_t[-1] x;").bytes(), absl::StatusCode::kDataLoss,
       "no field"},
      {"twice", UlogBytes().Format("p:int8_t x;").Format("p:int8_t y;").bytes(),
       absl::StatusCode::kDataLoss, "defined twice"},
      {"unknown", UlogBytes().Subscribe(1, "power").bytes(), absl::StatusCode::kDataLoss,
       "type power is not defined"},
      {"stamp", UlogBytes().Format(kCell).Subscribe(1, "cell").bytes(), absl::StatusCode::kDataLoss,
       "no field uint64_t timestamp"},
      {"circle", UlogBytes().Format("a:uint64_t timestamp;a x;").Subscribe(1, "a").bytes(),
       absl::StatusCode::kDataLoss, "contains itself"},
      {"size", UlogBytes().Format(wide).Subscribe(1, "wide").bytes(), absl::StatusCode::kDataLoss,
       "larger than"},
      {"ids", Small().Subscribe(3, "power", 2).bytes(), absl::StatusCode::kDataLoss,
       "message id 3 is given to two topics"},
  };
  for (const BadLog& log : logs) {
    SCOPED_TRACE(log.what);
    EXPECT_THAT(Open(log.bytes), StatusIs(log.code, HasSubstr(log.says)));
  }
}

}  // namespace
}  // namespace gatekeeper::ingest
