#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "agent/base/packet_socket.h"
#include "agent/base/status_macros.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace {

using namespace agent::base;  // NOLINT(google-build-using-namespace)
using testing::HasSubstr;
using tests::StatusIs;

struct Pair {
  UniqueFd listener, client, server;
};

absl::StatusOr<Pair> Connected(const std::string& path) {
  Pair pair;
  ASSIGN_OR_RETURN(pair.listener, ListenPackets(path));
  ASSIGN_OR_RETURN(pair.client, ConnectPackets(path));
  pair.server.reset(accept(pair.listener.get(), nullptr, nullptr));
  return pair;
}

TEST(PacketSocketTest, KeepsPacketBoundaries) {
  tests::TempFolder folder;
  ASSERT_OK_AND_ASSIGN(Pair pair, Connected(folder / "s"));
  ASSERT_OK(SendPacket(pair.client.get(), "one"));
  ASSERT_OK(SendPacket(pair.client.get(), std::string(kMaxPacket, 'x')));

  ASSERT_OK_AND_ASSIGN(const Packet first, ReceivePacket(pair.server.get()));
  EXPECT_EQ(first.bytes, "one");
  ASSERT_OK_AND_ASSIGN(const Packet second, ReceivePacket(pair.server.get()));
  EXPECT_EQ(second.bytes.size(), kMaxPacket);
  EXPECT_THAT(ReceivePacket(pair.server.get()),
              StatusIs(absl::StatusCode::kUnavailable, testing::_));
}

TEST(PacketSocketTest, CarriesAFileBesideThePacket) {
  tests::TempFolder folder;
  ASSERT_OK_AND_ASSIGN(Pair pair, Connected(folder / "s"));
  const UniqueFd memory(memfd_create("image", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(memory.get(), 123), 0);
  ASSERT_OK(SendPacket(pair.client.get(), "image", memory.get()));

  ASSERT_OK_AND_ASSIGN(const Packet packet, ReceivePacket(pair.server.get()));
  struct stat info {};
  ASSERT_EQ(fstat(packet.attached.get(), &info), 0);
  EXPECT_EQ(info.st_size, 123);
}

TEST(PacketSocketTest, TellsAClosedPeerFromASilentOne) {
  tests::TempFolder folder;
  ASSERT_OK_AND_ASSIGN(Pair pair, Connected(folder / "s"));
  pair.client.reset();
  EXPECT_THAT(ReceivePacket(pair.server.get()), StatusIs(absl::StatusCode::kAborted, testing::_));
}

TEST(PacketSocketTest, RefusesAPacketAboveTheCap) {
  EXPECT_THAT(SendPacket(0, std::string(kMaxPacket + 1, 'x')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most")));
}

TEST(PacketSocketTest, TakesOverAStaleSocketFileButNotALiveOne) {
  tests::TempFolder folder;
  ASSERT_OK_AND_ASSIGN(UniqueFd first, ListenPackets(folder / "s"));
  EXPECT_THAT(ListenPackets(folder / "s"), StatusIs(absl::StatusCode::kAlreadyExists, testing::_));
  first.reset();
  EXPECT_OK(ListenPackets(folder / "s"));
}

TEST(PacketSocketTest, NamesAPathThatIsTooLong) {
  EXPECT_THAT(ListenPackets("/tmp/" + std::string(120, 'x')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("shorter state folder")));
}

}  // namespace
