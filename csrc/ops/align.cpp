#include "ops/align.h"

#include "dispatch.h"
#include "ops/align_rows.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

template <class Real>
AlignItem<Real> make_item(const AlignShape& s, const Real* scores, int64_t n) {
  const int64_t begin = s.target_offsets[n];
  return {scores + n * s.T * s.C,
          s.targets + begin,
          s.input_lengths[n],
          s.C,
          s.target_offsets[n + 1] - begin,
          s.blank,
          s.skip_penalty,
          s.memory,
          s.band};
}

// The log probability of the path: in double, whatever precision chose it.
template <class Real>
double path_total(const AlignItem<Real>& item, const int32_t* states) {
  double total = 0;
  for (int64_t t = 0; t < item.T; ++t) {
    const int32_t state = states[t];
    const bool label = !item.has_blanks() || state % 2 == 1;
    const int64_t symbol = label ? item.target[item.has_blanks() ? state / 2 : state] : item.blank;
    total += static_cast<double>(item.scores[t * item.C + symbol]);
    const int32_t before = t > 0 ? states[t - 1] : state;
    if (!label && state - before == 2) total -= item.skip_penalty;
  }
  return total;
}

template <class Real>
double align_item(const AlignItem<Real>& item, int32_t* states, Interrupt& interrupt) {
  if (!kernels<Real>().align_row.are_scores(item.T * item.C, item.scores))
    return std::numeric_limits<double>::quiet_NaN();
  if (item.T < item.L) return -kInf;
  if (item.T == 0) return 0;
  if (item.L == 0 && !item.has_blanks()) return -kInf;
  if (!align_rows(item, states, interrupt)) return -kInf;
  return path_total(item, states);
}

}  // namespace

template <class Real>
void align(const AlignShape& s, const Real* scores, int32_t* states, double* totals, Interrupt& interrupt) {
  const int64_t cells = s.T * (s.target_offsets[s.N] + s.N);
  parallel_for(s.N, cells / 2, [&](int64_t n) {
    if (interrupt.requested()) return;
    const AlignItem<Real> item = make_item(s, scores, n);
    std::fill_n(states + n * s.T, s.T, -1);
    totals[n] = align_item(item, states + n * s.T, interrupt);
  });
}

template void align(const AlignShape&, const float*, int32_t*, double*, Interrupt&);
template void align(const AlignShape&, const double*, int32_t*, double*, Interrupt&);

}  // namespace unrolled
