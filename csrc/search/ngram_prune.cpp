#include "search/ngram_prune.h"

#include <cmath>

namespace unrolled::search {
namespace {

// Of one context: what it leaves to the words it does not keep, and what the shorter context gives to these.
struct Unseen {
  double mass = 1;
  double lower = 1;

  void take(double prob, double lower_prob) {
    mass -= prob;
    lower -= lower_prob;
  }
  double backoff() const { return mass / lower; }
};

class LevelPruner {
 public:
  LevelPruner(const NGramLevel& level, NGramEstimates& estimates, NGramEstimates& below,
              const std::vector<double>& joint)
      : level_(level), estimates_(estimates), below_(below), joint_(joint), unseen_(joint.size()) {
    for (uint32_t row = 0; row < level.size(); ++row) {
      if (estimates.kept[row]) unseen_[level.context[row]].take(prob(row), lower(row));
    }
  }

  // `needed` are the rows that longer n-grams stand on.
  void run(double threshold, const std::vector<uint8_t>& needed) {
    std::vector<Unseen> after = unseen_;
    std::vector<uint8_t> changed(joint_.size());
    for (uint32_t row = 0; row < level_.size(); ++row) {
      if (!estimates_.kept[row] || needed[row] || std::expm1(divergence(row)) >= threshold) continue;
      estimates_.kept[row] = 0;
      const uint32_t context = level_.context[row];
      after[context].take(-prob(row), -lower(row));
      changed[context] = 1;
    }
    for (std::size_t context = 0; context < joint_.size(); ++context) {
      if (changed[context]) below_.backoffs[context] = after[context].backoff();
    }
  }

 private:
  double prob(uint32_t row) const { return estimates_.probs[row]; }
  double lower(uint32_t row) const { return below_.probs[level_.suffix[row]]; }

  // Between the model and the one without this n-gram alone (Stolcke 1998, section 3).
  double divergence(uint32_t row) const {
    const uint32_t context = level_.context[row];
    const Unseen& with = unseen_[context];
    Unseen without = with;
    without.take(-prob(row), -lower(row));
    const double backoff = without.backoff();
    const double word = prob(row) * (std::log(lower(row) * backoff) - std::log(prob(row)));
    const double others = with.mass * (std::log(backoff) - std::log(below_.backoffs[context]));
    return -joint_[context] * (word + others);
  }

  const NGramLevel& level_;
  NGramEstimates& estimates_;
  NGramEstimates& below_;
  const std::vector<double>& joint_;  // P(context) of each row below
  std::vector<Unseen> unseen_;
};

// P(h) of every n-gram by the chain rule. A text has as many <s> as </s>.
std::vector<std::vector<double>> joint_probs(const std::vector<NGramLevel>& levels,
                                             const std::vector<NGramEstimates>& estimates) {
  std::vector<std::vector<double>> joint{estimates[0].probs};
  joint[0][kBeginWord] = joint[0][kEndWord];
  for (std::size_t k = 1; k + 1 < levels.size(); ++k) {
    std::vector<double>& probs = joint.emplace_back(estimates[k].probs);
    for (uint32_t row = 0; row < levels[k].size(); ++row) probs[row] *= joint[k - 1][levels[k].context[row]];
  }
  return joint;
}

std::vector<uint8_t> needed_rows(const std::vector<NGramLevel>& levels,
                                 const std::vector<NGramEstimates>& estimates, std::size_t k) {
  std::vector<uint8_t> needed(levels[k].size());
  if (k + 1 == levels.size()) return needed;
  const NGramLevel& above = levels[k + 1];
  for (uint32_t row = 0; row < above.size(); ++row) {
    if (estimates[k + 1].kept[row]) needed[above.context[row]] = needed[above.suffix[row]] = 1;
  }
  return needed;
}

}  // namespace

void prune_by_entropy(const std::vector<NGramLevel>& levels, double threshold,
                      std::vector<NGramEstimates>& estimates, Interrupt& interrupt) {
  const std::vector<std::vector<double>> joint = joint_probs(levels, estimates);
  for (std::size_t k = levels.size() - 1; k > 0; --k) {
    interrupt.requested();
    LevelPruner pruner(levels[k], estimates[k], estimates[k - 1], joint[k - 1]);
    pruner.run(threshold, needed_rows(levels, estimates, k));
  }
}

}  // namespace unrolled::search
