// One item of a batch that is aligned: what the ways of doing it share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "ops/align.h"

namespace unrolled {

template <class Real>
struct AlignItem {
  const Real* scores;  // (T, C)
  const int64_t* target;
  int64_t T, C, L, blank;
  AlignOptions options;

  bool has_blanks() const { return blank >= 0; }
  double blank_score(int64_t t) const {
    if (!has_blanks()) return -std::numeric_limits<double>::infinity();
    return static_cast<double>(scores[t * C + blank]);
  }
  bool may_skip_to(int64_t label) const {
    return label > 0 && (!has_blanks() || target[label] != target[label - 1]);
  }
};

// Pairs of a blank and the label after it; the last blank makes a pair of its own.
struct PairRange {
  int64_t first, last;  // both included
};

// The pairs that a path from the first to the last can stand in at frame t, T >= L: it passes at most one a
// frame.
inline PairRange reachable_pairs(int64_t T, int64_t L, int64_t t) {
  return {std::max<int64_t>(0, L - T + t), std::min(t, L)};
}

// A state of the trellis by its pair.
struct PairState {
  int64_t pair;
  bool label;
};

inline int32_t state_number(PairState s, bool has_blanks) {
  return static_cast<int32_t>(has_blanks ? 2 * s.pair + s.label : s.pair);
}

// The last label, unless the last blank is strictly better.
inline PairState last_state(int64_t L, double label, double blank) {
  return L == 0 || blank > label ? PairState{L, false} : PairState{L - 1, true};
}

}  // namespace unrolled
