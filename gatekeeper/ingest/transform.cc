#include "gatekeeper/ingest/transform.h"

#include <cmath>

#include "absl/strings/str_format.h"
#include "gatekeeper/resim/bearing.h"

namespace gatekeeper::ingest {
namespace {

using agent::runtime::ExactSinCos;
using agent::runtime::Pose2;
using agent::runtime::SinCos;

constexpr double kSameM = 0.01;
constexpr double kSameHalfTurn = 0.99999048072073;  // cosine of half of half a degree
constexpr double kMostOffLength = 0.01;
constexpr double kSmallRad = 1e-6;  // below it a chord is as good as its arc, to the last bit

struct Vec3 {
  double x = 0;
  double y = 0;
  double z = 0;
};

Turn Product(const Turn& a, const Turn& b) {
  return {
      a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y, a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
      a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w, a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z};
}

double Dot(const Turn& a, const Turn& b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }

Turn Sum(const Turn& a, double a_share, const Turn& b, double b_share) {
  return {a.x * a_share + b.x * b_share, a.y * a_share + b.y * b_share,
          a.z * a_share + b.z * b_share, a.w * a_share + b.w * b_share};
}

Turn Normed(const Turn& turn) {
  const double length = std::sqrt(Dot(turn, turn));  // IEEE 754: the same bits everywhere
  return Sum(turn, 1 / length, turn, 0);
}

Vec3 Turned(const Turn& q, const Vec3& v) {
  return {(1 - 2 * (q.y * q.y + q.z * q.z)) * v.x + 2 * (q.x * q.y - q.w * q.z) * v.y +
              2 * (q.x * q.z + q.w * q.y) * v.z,
          2 * (q.x * q.y + q.w * q.z) * v.x + (1 - 2 * (q.x * q.x + q.z * q.z)) * v.y +
              2 * (q.y * q.z - q.w * q.x) * v.z,
          2 * (q.x * q.z - q.w * q.y) * v.x + 2 * (q.y * q.z + q.w * q.x) * v.y +
              (1 - 2 * (q.x * q.x + q.y * q.y)) * v.z};
}

Turn Between(const Turn& from, Turn to, double share) {
  if (Dot(from, to) < 0) to = Sum(to, -1, to, 0);
  const Turn apart = Sum(to, 1, from, -1);
  const Turn together = Sum(to, 1, from, 1);
  const double angle_rad =
      2 * resim::ExactAtan2(std::sqrt(Dot(apart, apart)), std::sqrt(Dot(together, together)));
  if (angle_rad < kSmallRad) return Normed(Sum(from, 1 - share, to, share));
  return Normed(
      Sum(from, ExactSinCos((1 - share) * angle_rad).sin, to, ExactSinCos(share * angle_rad).sin));
}

}  // namespace

absl::StatusOr<Turn> TurnOf(double x, double y, double z, double w) {
  const double length = std::sqrt(x * x + y * y + z * z + w * w);
  if (!(std::abs(length - 1) <= kMostOffLength)) {
    return absl::DataLossError(
        absl::StrFormat("a quaternion of length %g, which is no turn", length));
  }
  return Turn{x / length, y / length, z / length, w / length};
}

Transform Compose(const Transform& outer, const Transform& inner) {
  const Vec3 moved = Turned(outer.turn, {inner.x_m, inner.y_m, inner.z_m});
  return {outer.x_m + moved.x, outer.y_m + moved.y, outer.z_m + moved.z,
          Product(outer.turn, inner.turn)};
}

Transform Inverse(const Transform& transform) {
  const Turn back = {-transform.turn.x, -transform.turn.y, -transform.turn.z, transform.turn.w};
  const Vec3 origin = Turned(back, {transform.x_m, transform.y_m, transform.z_m});
  return {-origin.x, -origin.y, -origin.z, back};
}

Transform Between(const Transform& from, const Transform& to, double share) {
  return {from.x_m + (to.x_m - from.x_m) * share, from.y_m + (to.y_m - from.y_m) * share,
          from.z_m + (to.z_m - from.z_m) * share, Between(from.turn, to.turn, share)};
}

bool SamePlace(const Transform& a, const Transform& b) {
  return std::abs(a.x_m - b.x_m) <= kSameM && std::abs(a.y_m - b.y_m) <= kSameM &&
         std::abs(Dot(a.turn, b.turn)) >= kSameHalfTurn;
}

double YawRad(const Turn& turn) {
  return resim::ExactAtan2(2 * (turn.w * turn.z + turn.x * turn.y),
                           1 - 2 * (turn.y * turn.y + turn.z * turn.z));
}

FlatTransform Flat(const Transform& transform) {
  const Turn& turn = transform.turn;
  return {.pose = {transform.x_m, transform.y_m, YawRad(turn)},
          .upright = 1 - 2 * (turn.x * turn.x + turn.y * turn.y)};
}

Pose2 Compose(const Pose2& outer, const Pose2& inner) {
  const SinCos turn = ExactSinCos(outer.yaw_rad);
  return {outer.x_m + turn.cos * inner.x_m - turn.sin * inner.y_m,
          outer.y_m + turn.sin * inner.x_m + turn.cos * inner.y_m,
          resim::WrappedRad(outer.yaw_rad + inner.yaw_rad)};
}

}  // namespace gatekeeper::ingest
