// One item of a batch, as the ways to compute its loss take it.
#pragma once

#include <limits>

#include "ops/trellis.h"

namespace unrolled {

template <class Real>
struct CtcItem {
  const Real* scores;  // (T, C)
  const int64_t* target;
  int64_t T, C, L, blank;
  bool logits;
  double scale;  // of the gradient
  Real* grad;    // (T, C) or null

  int64_t states() const { return blank < 0 ? L : 2 * L + 1; }
  int64_t ends() const { return blank < 0 ? 1 : 2; }
  int64_t symbol(int64_t state) const {
    return blank < 0 ? target[state] : state % 2 == 0 ? blank : target[state / 2];
  }
  // Whether symbol i may follow symbol i - 1 with no blank between them.
  bool follows(int64_t i) const { return i > 0 && (blank < 0 || target[i] != target[i - 1]); }
};

template <class Real>
CtcItem<Real> make_ctc_item(const TrellisShape& s, int64_t n, const Real* scores, bool logits, double scale,
                            Real* grad) {
  const int64_t at = n * s.T * s.C;
  return {scores + at, s.target(n), s.input_lengths[n],        s.C, s.target_length(n), s.blank,
          logits,      scale,       grad ? grad + at : nullptr};
}

inline constexpr double kCtcInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kCtcNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace unrolled
