#include "gatekeeper/gates/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "gatekeeper/gates/bootstrap.h"

namespace gatekeeper::gates {
namespace {

constexpr size_t kBins = 10;

size_t BinOf(double doubt) {
  return static_cast<size_t>(std::clamp(doubt * kBins, 0.0, static_cast<double>(kBins - 1)));
}

}  // namespace

DoubtedAnswers::DoubtedAnswers(std::vector<DoubtedAnswer> answers) : answers_(std::move(answers)) {
  std::stable_sort(
      answers_.begin(), answers_.end(),
      [](const DoubtedAnswer& a, const DoubtedAnswer& b) { return a.doubt < b.doubt; });
}

double DoubtedAnswers::Auroc(const std::vector<uint32_t>& times) const {
  double right = 0;  // doubted less than the present ones
  double wrong = 0;
  double pairs = 0;  // in which the wrong answer is doubted more
  for (size_t i = 0; i < answers_.size();) {
    double right_here = 0;
    double wrong_here = 0;
    const double doubt = answers_[i].doubt;
    for (; i < answers_.size() && answers_[i].doubt == doubt; ++i) {
      (answers_[i].wrong ? wrong_here : right_here) += times[answers_[i].block];
    }
    pairs += wrong_here * (right + right_here / 2);
    right += right_here;
    wrong += wrong_here;
  }
  return right > 0 && wrong > 0 ? pairs / (right * wrong) : kNan;
}

double DoubtedAnswers::Brier(const std::vector<uint32_t>& times) const {
  double sum = 0;
  double n = 0;
  for (const DoubtedAnswer& answer : answers_) {
    const double error = answer.doubt - (answer.wrong ? 1 : 0);
    sum += times[answer.block] * error * error;
    n += times[answer.block];
  }
  return n > 0 ? sum / n : kNan;
}

double DoubtedAnswers::CalibrationError(const std::vector<uint32_t>& times) const {
  std::array<double, kBins> said{};
  std::array<double, kBins> was{};
  double n = 0;
  for (const DoubtedAnswer& answer : answers_) {
    const double weight = times[answer.block];
    said[BinOf(answer.doubt)] += weight * answer.doubt;
    was[BinOf(answer.doubt)] += answer.wrong ? weight : 0;
    n += weight;
  }
  double apart = 0;
  for (size_t bin = 0; bin < kBins; ++bin) apart += std::abs(said[bin] - was[bin]);
  return n > 0 ? apart / n : kNan;
}

}  // namespace gatekeeper::gates
