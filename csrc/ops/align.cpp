#include "ops/align.h"

#include <type_traits>

#include "dispatch.h"
#include "ops/align_rows.h"
#include "ops/align_tiles.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

template <class Real>
AlignItem<Real> make_item(const TrellisShape& s, const AlignOptions& options, const Real* scores, int64_t n) {
  return {scores + n * s.T * s.C, s.target(n), s.input_lengths[n], s.C, s.target_length(n), s.blank, options};
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
    if (!label && state - before == 2) total -= item.options.skip_penalty;
  }
  return total;
}

// Tiles first where they can do it. Sums of masks such as -3e38 overflow float32: where tiles find no path,
// rows in double have the last word.
template <class Real>
bool find_path(const AlignItem<Real>& item, int32_t* states, Interrupt& interrupt) {
  if constexpr (std::is_same_v<Real, float>) {
    if (fits_tiles(item) && align_tiles(item, states, interrupt)) return true;
  }
  return !interrupt.requested() && align_rows(item, states, interrupt);
}

template <class Real>
double align_item(const AlignItem<Real>& item, int32_t* states, Interrupt& interrupt) {
  if (!kernels<Real>().align_row.are_scores(item.T * item.C, item.scores))
    return std::numeric_limits<double>::quiet_NaN();
  if (item.T < item.L) return -kInf;
  if (item.T == 0) return 0;
  if (item.L == 0 && !item.has_blanks()) return -kInf;
  if (!find_path(item, states, interrupt)) return -kInf;
  return path_total(item, states);
}

}  // namespace

template <class Real>
void align(const TrellisShape& s, const AlignOptions& options, const Real* scores, int32_t* states,
           double* totals, Interrupt& interrupt) {
  const int64_t cells = s.T * (s.target_offsets[s.N] + s.N);
  parallel_for(s.N, cells / 2, [&](int64_t n) {
    if (interrupt.requested()) return;
    const AlignItem<Real> item = make_item(s, options, scores, n);
    std::fill_n(states + n * s.T, s.T, -1);
    totals[n] = align_item(item, states + n * s.T, interrupt);
  });
}

template void align(const TrellisShape&, const AlignOptions&, const float*, int32_t*, double*, Interrupt&);
template void align(const TrellisShape&, const AlignOptions&, const double*, int32_t*, double*, Interrupt&);

}  // namespace unrolled
