// The arrays of a batch of trellises, checked: those of CTC and of alignment.
#pragma once

#include "bindings/arrays.h"
#include "ops/trellis.h"

namespace unrolled {

template <class Real>
TrellisShape make_trellis_shape(const Array<Real>& scores, const Array<int64_t>& targets,
                                const Array<int64_t>& offsets, const Array<int64_t>& input_lengths,
                                int64_t blank) {
  require(scores.ndim() == 3 && scores.shape(2) >= 1, "scores must be (N, T, C) with at least one class");
  const int64_t N = scores.shape(0), T = scores.shape(1), C = scores.shape(2);
  require_shape(input_lengths, {N}, "input_lengths must be (N)");
  require_shape(offsets, {N + 1}, "target_offsets must be (N + 1)");
  require(targets.ndim() == 1, "targets must be flat");
  require(blank >= -1 && blank < C, "blank must be one of the classes, or -1 for none");
  const int64_t *ends = offsets.data(), *lengths = input_lengths.data(), *symbols = targets.data();
  require(ends[0] == 0 && ends[N] == targets.size(), "target_offsets must cover targets");
  for (int64_t n = 0; n < N; ++n) {
    require(lengths[n] >= 0 && lengths[n] <= T, "input_lengths must lie in 0 .. T");
    require(ends[n] <= ends[n + 1], "target_offsets must not fall");
  }
  bool classes = true;
  for (int64_t i = 0; i < targets.size(); ++i) classes &= symbols[i] >= 0 && symbols[i] < C;
  require(classes, "targets must be classes");
  return {N, T, C, lengths, symbols, ends, blank};
}

}  // namespace unrolled
