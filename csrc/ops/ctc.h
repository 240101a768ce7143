// CTC loss and its gradient over a batch, one item a task.
#pragma once

#include "interrupt.h"
#include "ops/trellis.h"

namespace unrolled {

// How the loss is computed. `automatic` takes the quickest way that is sure to be right: for float32 plain
// probabilities (ctc_linear.h), where those leave the range of a float numbers with powers of their own
// (ctc_exact.h), beyond them log space, which is also for float64. `linear` takes no other way, and gives NaN
// where it does not do: for tests.
enum class CtcPath { automatic, linear, exact, log };

// scores (N, T, C) -> losses (N): minus the log probability of each target, inf where it has no path, NaN
// where a score that is read is NaN or +inf. `logits`: rows are normalised inside, and the gradient is by the
// logits. grad (N, T, C) or null: scale[n] times the gradient of item n's loss, 0 on padding and where the
// loss is not finite.
template <class Real>
void ctc_loss(const TrellisShape& shape, bool logits, CtcPath path, const Real* scores, const double* scale,
              double* losses, Real* grad);

// Of one item, its whole trellis (T, S) in log space, S = 2L + 1 or L: log_alpha, the probability of all ways
// to a state, its own frame included; log_beta of all ways on from it, its own frame in beta_hat alone.
template <class Real>
void ctc_states(const TrellisShape& shape, const Real* scores, double* log_alpha, double* log_beta_hat,
                double* log_beta);

// Of one item, the posterior (T) of states[t] at each frame t, 0 where that is negative. Long items keep
// about the root of T rows of states.
template <class Real>
void ctc_path_posterior(const TrellisShape& shape, const Real* scores, const int32_t* states,
                        Interrupt& interrupt, double* posterior);

}  // namespace unrolled
