// The forward and backward recursions of CTC (Graves et al. 2006, section 4.1), in log space and double:
// float32 there loses a thousandth of the gradient at T = 1000.
#pragma once

#include <cstdint>

namespace unrolled {

// States s = 0 .. S-1: blank, label, blank, ..., blank, or labels alone. Rows of states have `stride`
// doubles, the first state at column kCtcGuard. All other columns of emission, skip, alpha and beta are -inf:
// lanes may run beyond both ends. A path starts in one of the first `ends` states and ends in one of the
// last: two with blanks, one without.
inline constexpr int64_t kCtcGuard = 2;

struct CtcKernels {
  int64_t lanes;  // stride is at least kCtcGuard + S rounded up to lanes + kCtcGuard

  // emission (T, stride): log probability of each state's symbol. skip (stride): 0 where the state may be
  // entered from s - 2 (a label that differs from the one before), else -inf. alpha (T, stride), alpha(t, s):
  // log probability of all ways to be in s at t, emission at t included. Returns log P(target), -inf where
  // there is no path.
  double (*forward)(int64_t T, int64_t S, int64_t ends, int64_t stride, const double* emission,
                    const double* skip, double* alpha);

  // alpha as forward left it, replaced by the posterior probability (not its log) of each state at each
  // frame. beta: scratch of 2 * stride.
  void (*backward)(int64_t T, int64_t S, int64_t ends, int64_t stride, const double* emission,
                   const double* skip, double log_probability, double* beta, double* alpha);

  // beta (T, stride), beta(t, s): log probability of all ways on from s at t to the end, emission at t not
  // included; in beta_hat (T, stride) it is.
  void (*betas)(int64_t T, int64_t S, int64_t ends, int64_t stride, const double* emission,
                const double* skip, double* beta, double* beta_hat);
};

}  // namespace unrolled
