// Leaving out the n-grams that a model can do without.
#pragma once

#include <vector>

#include "interrupt.h"
#include "search/ngram_counts.h"
#include "search/ngram_estimate.h"

namespace unrolled::search {

// Leaves out the n-grams whose loss raises the model's perplexity, on text of its own, by a factor below
// 1 + threshold (Stolcke, 1998), and sets the back-off weights anew. What begins or ends a longer n-gram that
// is kept stays.
void prune_by_entropy(const std::vector<NGramLevel>& levels, double threshold,
                      std::vector<NGramEstimates>& estimates, Interrupt& interrupt);

}  // namespace unrolled::search
