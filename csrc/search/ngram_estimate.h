// From counts to probabilities and back-off weights.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "interrupt.h"
#include "search/ngram_counts.h"

namespace unrolled::search {

enum class Smoothing {
  kDiscount,    // absolute discounts: Kneser and Ney's over continuations, Ney's over occurrences
  kWittenBell,  // method C
  kAdd,         // Lidstone's
};

struct EstimateOptions {
  Smoothing smoothing;
  bool continuations;                            // count ways to the left, not occurrences
  std::vector<std::array<double, 3>> discounts;  // of counts 1, 2, and 3 or more, for each order
  double added;                                  // to each count
  std::vector<uint64_t> cutoffs;                 // for each order: n-grams that occur so often are left out
};

// The rows of an `NGramLevel`.
struct NGramEstimates {
  std::vector<double> probs;
  std::vector<double> backoffs;  // 1 where the n-gram is no context
  std::vector<uint8_t> kept;
};

std::vector<NGramEstimates> estimate(const std::vector<NGramLevel>& levels, const EstimateOptions& options,
                                     Interrupt& interrupt);

}  // namespace unrolled::search
