#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <thread>

#include "agent/base/sealed_memory.h"
#include "agent/client/robot_client.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::client {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using tests::StatusIs;

constexpr int kHangMs = 30'000;

// gatekeeper-control's end of the socket, one packet at a time.
class ClientTest : public testing::Test {
 protected:
  ClientTest() { Listen(); }

  void Listen() {
    auto listener = base::ListenPackets(path_);
    ASSERT_OK(listener);
    listener_ = *std::move(listener);
  }
  RobotClient Connect() {
    auto client = RobotClient::Connect(path_);
    EXPECT_OK(client);
    return *std::move(client);
  }
  void Accept() {
    WaitFor(listener_.get());
    peer_.reset(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    ASSERT_TRUE(peer_.valid());
  }
  base::Packet Receive() {
    WaitFor(peer_.get());
    auto packet = base::ReceivePacket(peer_.get());
    EXPECT_OK(packet);
    return packet.ok() ? *std::move(packet) : base::Packet();
  }
  v1::Observation ReceiveObservation() {
    v1::Observation observation;
    EXPECT_TRUE(observation.ParseFromString(Receive().bytes));
    return observation;
  }
  void Send(uint64_t seq, double vx_mps) {
    v1::Command command;
    command.set_seq(seq);
    command.add_values(vx_mps);
    command.set_state("NOMINAL");
    ASSERT_OK(base::SendPacket(peer_.get(), command.SerializeAsString()));
  }
  static void WaitFor(int fd) {
    pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&one, 1, kHangMs), 1);
  }

  tests::TempFolder folder_;
  const std::string path_ = folder_ / "robot.sock";
  base::UniqueFd listener_;
  base::UniqueFd peer_;
};

TEST_F(ClientTest, BringsBackTheAnswerToItsOwnObservation) {
  RobotClient client = Connect();
  std::thread control([&] {
    Accept();
    const v1::Observation seen = ReceiveObservation();
    EXPECT_TRUE(seen.want_command());
    Send(0, 9.0);               // unasked
    Send(seen.seq() + 100, 8);  // of nobody
    Send(seen.seq(), 0.5);
  });

  const auto command = client.Exchange(v1::Observation(), seconds(30));
  control.join();

  ASSERT_OK(command);
  EXPECT_EQ(command->values(0), 0.5);
}

TEST_F(ClientTest, StopsWhenNoAnswerComesInTimeAndDropsTheLateOne) {
  RobotClient client = Connect();
  Accept();

  const auto none = client.Exchange(v1::Observation(), milliseconds(5));
  ASSERT_OK(none);
  EXPECT_TRUE(none->stop());
  EXPECT_EQ(none->state(), RobotClient::kNoAnswer);
  EXPECT_EQ(none->values_size(), 0);

  Send(ReceiveObservation().seq(), 0.9);  // late
  std::thread control([&] { Send(ReceiveObservation().seq(), 0.1); });
  const auto second = client.Exchange(v1::Observation(), seconds(30));
  control.join();
  ASSERT_OK(second);
  EXPECT_EQ(second->values(0), 0.1);
}

TEST_F(ClientTest, StopsWhileControlIsGoneAndFindsItAgain) {
  RobotClient client = Connect();
  Accept();
  peer_.reset();
  listener_.reset();

  for (int i = 0; i < 3; ++i) {
    const auto stop = client.Exchange(v1::Observation(), milliseconds(50));
    ASSERT_OK(stop);
    EXPECT_TRUE(stop->stop());
    EXPECT_EQ(stop->state(), RobotClient::kNoAnswer);
  }
  EXPECT_FALSE(client.connected());

  Listen();
  std::thread control([&] {
    Accept();
    Send(ReceiveObservation().seq(), 0.3);
  });
  const auto command = client.Exchange(v1::Observation(), seconds(30));
  control.join();
  ASSERT_OK(command);
  EXPECT_EQ(command->values(0), 0.3);
}

TEST_F(ClientTest, SendsALargeImageAsSealedMemoryAndASmallOneInPlace) {
  RobotClient client = Connect();
  Accept();
  v1::Observation small;
  small.mutable_image()->set_data(std::string(RobotClient::kInlineImageBytes, 's'));
  v1::Observation large;
  large.mutable_image()->set_data(std::string(RobotClient::kInlineImageBytes + 1, 'l'));

  ASSERT_OK(client.Publish(small));
  ASSERT_OK(client.Publish(large));

  const base::Packet first = Receive();
  EXPECT_FALSE(first.attached.valid());
  const base::Packet second = Receive();
  ASSERT_TRUE(second.attached.valid());
  ASSERT_OK_AND_ASSIGN(const auto image, base::SealedView::Map(second.attached.get(), 1 << 20));
  EXPECT_EQ(image.bytes(), large.image().data());
  v1::Observation rest;
  ASSERT_TRUE(rest.ParseFromString(second.bytes));
  EXPECT_EQ(rest.image().data(), "");
  EXPECT_FALSE(rest.want_command());
}

TEST_F(ClientTest, RefusesAnObservationThatNoPacketHolds) {
  RobotClient client = Connect();
  Accept();
  v1::Observation observation;
  for (int i = 0; i < 60'000; ++i) observation.mutable_scan()->add_ranges_m(1);

  EXPECT_THAT(client.Exchange(observation, milliseconds(10)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("packet of")));
  EXPECT_TRUE(client.connected());
}

TEST_F(ClientTest, TakesTheNewestOfTheCommandsNobodyAskedFor) {
  RobotClient client = Connect();
  Accept();
  Send(0, 0.1);
  Send(7, 0.2);
  Send(0, 0.3);

  EXPECT_EQ(client.Next(seconds(30)).values(0), 0.3);
  EXPECT_EQ(client.Next(milliseconds(1)).state(), RobotClient::kNoAnswer);
}

TEST_F(ClientTest, HearsTheLastWordOfAControlThatEnds) {
  RobotClient client = Connect();
  Accept();
  Send(0, 0.1);
  peer_.reset();

  EXPECT_EQ(client.Next(seconds(30)).values(0), 0.1);
  EXPECT_FALSE(client.connected());
}

TEST_F(ClientTest, StopsWhenControlTalksNonsense) {
  RobotClient client = Connect();
  std::thread control([&] {
    Accept();
    Receive();
    ASSERT_OK(base::SendPacket(peer_.get(), "\xff\xff\xff nonsense"));
  });

  const auto command = client.Exchange(v1::Observation(), seconds(30));
  control.join();

  ASSERT_OK(command);
  EXPECT_TRUE(command->stop());
}

TEST_F(ClientTest, SaysThatControlIsNotThereYet) {
  EXPECT_THAT(RobotClient::Connect(folder_ / "nobody.sock"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nobody.sock")));
}

}  // namespace
}  // namespace agent::client
