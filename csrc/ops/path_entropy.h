// The entropy of the alignments of a target, given that it is the target.
#pragma once

#include "ops/trellis.h"

namespace unrolled {

// Alignments have the probabilities that the sums of their scores (N, T, C), log probabilities, give them,
// normalised over all alignments of the item's target. entropies (N) is in nats, 0 for an item without an
// alignment. grad (N, T, C), unless null, becomes grad_scale (N) times the gradient by the scores.
template <class Real>
void path_entropy(const TrellisShape& s, const Real* scores, const double* grad_scale, double* entropies,
                  Real* grad);

}  // namespace unrolled
