#include <random>
#include <string>

#include "agent/recording/compression.h"
#include "gtest/gtest.h"

namespace agent::recording {
namespace {

// The definition, bit by bit: IEEE 802.3, reflected.
uint32_t Defined(uint32_t crc, std::string_view bytes) {
  uint32_t state = ~crc;
  for (const char byte : bytes) {
    state ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? 0xEDB88320 : 0);
  }
  return ~state;
}

TEST(Crc32Test, GivesThePublishedCheckValue) {
  EXPECT_EQ(Crc32(0, "123456789"), 0xCBF43926u);
  EXPECT_EQ(Crc32(0, ""), 0u);
}

TEST(Crc32Test, EqualsItsDefinitionForEveryLengthAndPlace) {
  std::minstd_rand random(7);
  std::string bytes(512, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (size_t at = 0; at < 17; ++at)
    for (size_t size = 0; size + at <= 400; ++size) {
      const std::string_view part = std::string_view(bytes).substr(at, size);
      const auto seed = static_cast<uint32_t>(random());
      ASSERT_EQ(Crc32(seed, part), Defined(seed, part)) << size << " bytes from " << at;
    }
}

TEST(Crc32Test, MayBeTakenInPieces) {
  const std::string bytes(1000, 'x');
  for (const size_t cut : {1, 63, 64, 65, 500, 999})
    EXPECT_EQ(Crc32(Crc32(0, bytes.substr(0, cut)), bytes.substr(cut)), Crc32(0, bytes)) << cut;
}

}  // namespace
}  // namespace agent::recording
