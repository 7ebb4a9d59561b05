#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// How well a model knows when it is wrong.

namespace gatekeeper::gates {

// One answer of the model.
struct DoubtedAnswer {
  double doubt = 0;  // larger: less sure
  bool wrong = false;
  size_t block = 0;  // of the bootstrap
};

// Answers sorted by doubt once, so that weighing them anew costs no sorting. In every function
// `times[block]` says how often an answer counts.
class DoubtedAnswers {
 public:
  explicit DoubtedAnswers(std::vector<DoubtedAnswer> answers);
  const std::vector<DoubtedAnswer>& sorted() const { return answers_; }

  // Probability that a wrong answer is doubted more than a right one, ties halved: the area under
  // the receiver's curve (Hanley and McNeil, Radiology 143, 1982). NaN unless there are both.
  double Auroc(const std::vector<uint32_t>& times) const;
  // Doubt taken as the probability of being wrong: mean squared error (Brier, Monthly Weather
  // Review 78, 1950), and expected calibration error over ten equally wide bins (Naeini et al.,
  // AAAI 2015). NaN without answers.
  double Brier(const std::vector<uint32_t>& times) const;
  double CalibrationError(const std::vector<uint32_t>& times) const;

 private:
  std::vector<DoubtedAnswer> answers_;  // least doubted first
};

}  // namespace gatekeeper::gates
