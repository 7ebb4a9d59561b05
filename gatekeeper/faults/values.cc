#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "gatekeeper/faults/channel_fault.h"
#include "gatekeeper/faults/draws.h"
#include "gatekeeper/faults/transforms.h"

namespace gatekeeper::faults {
namespace {

// Strong enough to be seen, weak enough to be believed.
constexpr double kRangeNoise_m = 0.2;
constexpr double kPixelNoise = 40;  // of 255
constexpr double kNumberNoise = 0.1;
constexpr double kRangeBias_m = 0.3;
constexpr double kPixelBias = 60;
constexpr double kNumberBias = 0.3;
constexpr double kFarAway_m = 1000;  // another map's origin: beyond any site
constexpr double kQuarterTurn_rad = 1.5707963267948966;
constexpr float kDirt_m = 0.05F;  // what sticks to the window
constexpr int kFlippedBits = 16;

char Pixel(double value) {
  return static_cast<char>(static_cast<uint8_t>(std::clamp(std::lround(value), 0L, 255L)));
}
double ValueOf(char pixel) { return static_cast<double>(static_cast<uint8_t>(pixel)); }

// Gives every number of the channel through `change`; pixels are 0 to 255.
template <class Fn>
void Map(v1::Observation& observation, const std::string& channel, const Fn& change) {
  if (channel == "scan") {
    for (float& range : *observation.mutable_scan()->mutable_ranges_m())
      range = static_cast<float>(change(static_cast<double>(range)));
  } else if (channel == "image") {
    for (char& pixel : *observation.mutable_image()->mutable_data())
      pixel = Pixel(change(ValueOf(pixel)));
  } else {
    std::vector<double> numbers = Numbers(observation, channel);
    for (double& number : numbers) number = change(number);
    SetNumbers(channel, numbers, observation);
  }
}

// All numbers become this one; a scan's ranges too.
std::unique_ptr<Transform> Filling(const Spec& spec, double value, double pixel) {
  return Changing(spec, [=, channel = spec.channel](v1::Observation& observation) {
    Map(observation, channel, [&](double) { return channel == "image" ? pixel : value; });
  });
}

double Pick(const std::string& channel, double range, double pixel, double number) {
  if (channel == "scan") return range;
  return channel == "image" ? pixel : number;
}

template <class T>
void FlipOne(T& value, Draws& draws) {
  unsigned char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  const uint64_t bit = draws.Below(sizeof(T) * 8);
  bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] ^ (1U << (bit % 8)));
  std::memcpy(&value, bytes, sizeof(T));
}

// Says "nothing" for beams and columns from `from` on, as a share of the width.
void Blind(v1::Observation& observation, const std::string& channel, double from) {
  if (channel == "scan") {
    auto& ranges = *observation.mutable_scan()->mutable_ranges_m();
    for (int i = static_cast<int>(from * ranges.size()); i < ranges.size(); ++i) ranges[i] = 0;
    return;
  }
  v1::Image& image = *observation.mutable_image();
  std::string& data = *image.mutable_data();
  if (image.height() == 0) return;
  const size_t row = data.size() / image.height();
  if (row == 0) return;
  for (size_t i = 0; i < data.size(); ++i) {
    if (static_cast<double>(i % row) >= from * static_cast<double>(row)) data[i] = 0;
  }
}

}  // namespace

std::unique_ptr<Transform> FillNan(const Spec& spec) {
  return Filling(spec, std::numeric_limits<double>::quiet_NaN(), 0);
}

std::unique_ptr<Transform> FillInfinite(const Spec& spec) {
  return Filling(spec, std::numeric_limits<double>::infinity(), 255);
}

std::unique_ptr<Transform> FillDenormal(const Spec& spec) {
  const double least =
      Pick(spec.channel, static_cast<double>(std::numeric_limits<float>::denorm_min()), 1,
           std::numeric_limits<double>::denorm_min());
  return Filling(spec, least, 1);
}

std::unique_ptr<Transform> FillLargest(const Spec& spec) {
  const double largest = Pick(spec.channel, static_cast<double>(std::numeric_limits<float>::max()),
                              255, std::numeric_limits<double>::max());
  return Filling(spec, largest, 255);
}

std::unique_ptr<Transform> FlipBits(const Spec& spec) {
  return Changing(spec, [draws = Draws(spec.seed),
                         channel = spec.channel](v1::Observation& observation) mutable {
    if (channel == "scan") {
      auto& ranges = *observation.mutable_scan()->mutable_ranges_m();
      for (int i = 0; i < kFlippedBits && !ranges.empty(); ++i) {
        FlipOne(ranges[static_cast<int>(draws.Below(static_cast<uint64_t>(ranges.size())))], draws);
      }
    } else if (channel == "image") {
      std::string& data = *observation.mutable_image()->mutable_data();
      for (int i = 0; i < kFlippedBits && !data.empty(); ++i)
        FlipOne(data[draws.Below(data.size())], draws);
    } else {
      std::vector<double> numbers = Numbers(observation, channel);
      if (!numbers.empty()) FlipOne(numbers[draws.Below(numbers.size())], draws);
      SetNumbers(channel, numbers, observation);
    }
  });
}

std::unique_ptr<Transform> Truncate(const Spec& spec) {
  return Changing(spec, [channel = spec.channel](v1::Observation& observation) {
    if (channel == "scan") {
      auto& ranges = *observation.mutable_scan()->mutable_ranges_m();
      ranges.Truncate(ranges.size() / 2);
    } else if (channel == "image") {
      std::string& data = *observation.mutable_image()->mutable_data();
      data.resize(data.size() / 2);
    } else if (channel == "joints") {
      auto& joints = *observation.mutable_joints();
      joints.mutable_q_rad()->Truncate(joints.q_rad_size() / 2);
    }
  });
}

std::unique_ptr<Transform> Lengthen(const Spec& spec) {
  return Changing(spec, [channel = spec.channel](v1::Observation& observation) {
    if (channel == "scan") {
      auto& ranges = *observation.mutable_scan()->mutable_ranges_m();
      for (int i = ranges.size(); i > 0; --i) ranges.Add(ranges[ranges.size() - i]);
    } else if (channel == "image") {
      observation.mutable_image()->mutable_data()->push_back('\0');
    } else if (channel == "joints") {
      observation.mutable_joints()->add_q_rad(0);
    }
  });
}

std::unique_ptr<Transform> AddNoise(const Spec& spec) {
  const double sigma = Pick(spec.channel, kRangeNoise_m, kPixelNoise, kNumberNoise);
  return Changing(spec, [sigma, draws = Draws(spec.seed),
                         channel = spec.channel](v1::Observation& observation) mutable {
    Map(observation, channel, [&](double value) { return value + sigma * draws.Normal(); });
  });
}

std::unique_ptr<Transform> AddBias(const Spec& spec) {
  const double bias = Pick(spec.channel, kRangeBias_m, kPixelBias, kNumberBias);
  return Changing(spec, [bias, channel = spec.channel](v1::Observation& observation) {
    Map(observation, channel, [&](double value) { return value + bias; });
  });
}

std::unique_ptr<Transform> BlackOut(const Spec& spec) {
  return Changing(spec, [channel = spec.channel](v1::Observation& observation) {
    Blind(observation, channel, 0);
  });
}

std::unique_ptr<Transform> BlackOutHalf(const Spec& spec) {
  return Changing(spec, [channel = spec.channel](v1::Observation& observation) {
    Blind(observation, channel, 0.5);
  });
}

// The same places in every message, a fifth of what is seen.
std::unique_ptr<Transform> SoilWindow(const Spec& spec) {
  return Changing(spec, [seed = spec.seed, channel = spec.channel](v1::Observation& observation) {
    Draws draws(seed);
    const double from = 0.8 * draws.Unit();
    if (channel == "scan") {
      auto& ranges = *observation.mutable_scan()->mutable_ranges_m();
      const int first = static_cast<int>(from * ranges.size());
      for (int i = first; i < first + ranges.size() / 5; ++i) ranges[i] = kDirt_m;
      return;
    }
    v1::Image& image = *observation.mutable_image();
    std::string& data = *image.mutable_data();
    const size_t row = image.height() == 0 ? 0 : data.size() / image.height();
    if (row == 0) return;
    const auto first = static_cast<size_t>(from * static_cast<double>(row));
    for (size_t i = 0; i < data.size(); ++i) {
      if (i % row >= first && i % row < first + row / 5) data[i] = 0;
    }
  });
}

std::unique_ptr<Transform> ShiftFrame(const Spec& spec) {
  return Changing(spec, [](v1::Observation& observation) {
    v1::Odometry& odom = *observation.mutable_odom();
    odom.set_x_m(odom.x_m() + kFarAway_m);
    odom.set_y_m(odom.y_m() + kFarAway_m);
    odom.set_yaw_rad(odom.yaw_rad() + kQuarterTurn_rad);
  });
}

std::unique_ptr<Transform> FreezePose(const Spec& spec) {
  return Changing(spec,
                  [pose = std::optional<v1::Odometry>()](v1::Observation& observation) mutable {
                    v1::Odometry& odom = *observation.mutable_odom();
                    if (!pose) pose = odom;
                    odom.set_x_m(pose->x_m());
                    odom.set_y_m(pose->y_m());
                    odom.set_yaw_rad(pose->yaw_rad());
                  });
}

}  // namespace gatekeeper::faults
