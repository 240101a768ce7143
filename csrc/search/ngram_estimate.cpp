#include "search/ngram_estimate.h"

#include <algorithm>

namespace unrolled::search {
namespace {

// Of one context: P(w | h) = (count - discount) / total + left / total * P(w | shorter h).
struct ContextSums {
  double total = 0;
  double left = 0;  // what discounts, n-grams left out and the method itself give to the shorter context
  // For kAdd alone: the words that are kept, and what the shorter context gives to them.
  double lower = 0;
  uint32_t kept = 0;
};

class LevelEstimator {
 public:
  LevelEstimator(const NGramLevel& level, const EstimateOptions& options, uint32_t words, uint32_t contexts)
      : level_(level),
        options_(options),
        order_(level.index.order()),
        counts_(options.continuations ? level.continuations : level.occurrences),
        words_(words),
        sums_(contexts) {}

  void run(NGramEstimates& estimates, NGramEstimates* below) {
    estimates.probs.resize(level_.size());
    estimates.backoffs.assign(level_.size(), 1.0);
    estimates.kept.resize(level_.size());
    for (uint32_t row = 0; row < level_.size(); ++row) estimates.kept[row] = keeps(row);
    add_up(estimates.kept);
    const bool interpolates = order_ == 1 || options_.smoothing != Smoothing::kAdd;
    for (uint32_t row = 0; row < level_.size(); ++row) {
      ContextSums& sums = sums_of(row);
      const double lower = below ? below->probs[level_.suffix[row]] : 1.0 / words_;
      estimates.probs[row] =
          (mass(counts_[row]) + (interpolates ? sums.left * lower : options_.added)) / sums.total;
      if (interpolates || !estimates.kept[row]) continue;
      sums.lower += lower;
      ++sums.kept;
    }
    if (below) set_backoffs(*below, interpolates);
  }

 private:
  ContextSums& sums_of(uint32_t row) { return sums_[order_ == 1 ? 0 : level_.context[row]]; }

  bool keeps(uint32_t row) const {
    return order_ == 1 || level_.occurrences[row] > options_.cutoffs[order_ - 1];
  }

  double discount(uint64_t count) const {
    if (options_.smoothing != Smoothing::kDiscount || count == 0) return 0;
    return options_.discounts[order_ - 1][std::min<uint64_t>(count, 3) - 1];
  }

  double mass(uint64_t count) const { return static_cast<double>(count) - discount(count); }

  void add_up(const std::vector<uint8_t>& kept) {
    for (uint32_t row = 0; row < level_.size(); ++row) {
      if (counts_[row] == 0) continue;
      ContextSums& sums = sums_of(row);
      const double count = static_cast<double>(counts_[row]);
      sums.total += count;
      sums.left += kept[row] ? count - mass(counts_[row]) : count;
      if (options_.smoothing == Smoothing::kWittenBell) reserve(sums, 1);
      if (options_.smoothing == Smoothing::kAdd && order_ > 1 && kept[row]) sums.left -= options_.added;
    }
    if (options_.smoothing != Smoothing::kAdd) return;
    for (ContextSums& sums : sums_) reserve(sums, options_.added * words_);
  }

  static void reserve(ContextSums& sums, double mass) {
    sums.total += mass;
    sums.left += mass;
  }

  void set_backoffs(NGramEstimates& below, bool interpolates) const {
    std::vector<double>& backoffs = below.backoffs;
    for (std::size_t row = 0; row < sums_.size(); ++row) {
      const ContextSums& sums = sums_[row];
      if (sums.total == 0) continue;
      backoffs[row] = sums.left / sums.total;
      // Where every word is kept nothing is left on either side, and no word asks for the weight.
      if (!interpolates) backoffs[row] = sums.kept < words_ ? backoffs[row] / (1 - sums.lower) : 1.0;
    }
  }

  const NGramLevel& level_;
  const EstimateOptions& options_;
  int order_;
  const std::vector<uint64_t>& counts_;
  double words_;
  std::vector<ContextSums> sums_;
};

}  // namespace

std::vector<NGramEstimates> estimate(const std::vector<NGramLevel>& levels, const EstimateOptions& options,
                                     Interrupt& interrupt) {
  std::vector<NGramEstimates> estimates(levels.size());
  const uint32_t words = levels[0].size() - 1;  // all that can follow: <s> cannot
  for (std::size_t k = 0; k < levels.size(); ++k) {
    interrupt.requested();
    LevelEstimator estimator(levels[k], options, words, k == 0 ? 1 : levels[k - 1].size());
    estimator.run(estimates[k], k == 0 ? nullptr : &estimates[k - 1]);
    // <s> is given, never predicted; 1 as lmplz has it, so that a sentence may be scored with it.
    if (k == 0) estimates[0].probs[kBeginWord] = 1;
  }
  return estimates;
}

}  // namespace unrolled::search
