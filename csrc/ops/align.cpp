#include "ops/align.h"

#include <type_traits>

#include "dispatch.h"
#include "ops/align_rows.h"
#include "ops/align_tiles.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kCellsPerOperation = 16;
constexpr double kInf = std::numeric_limits<double>::infinity();

template <class Real>
AlignItem<Real> make_item(const TrellisShape& s, const AlignOptions& options, const Real* scores, int64_t n) {
  return {scores + n * s.T * s.C, s.target(n), s.input_lengths[n], s.C, s.target_length(n), s.blank, options};
}

// The log probability of the path: in double, whatever precision chose it.
template <class Real>
double path_total(const AlignItem<Real>& item, const int32_t* states, double* path_scores) {
  double total = 0;
  int64_t left_out = 0;
  for (int64_t t = 0; t < item.T; ++t) {
    const int32_t state = states[t];
    const bool label = !item.has_blanks() || state % 2 == 1;
    const int64_t symbol = label ? item.target[item.has_blanks() ? state / 2 : state] : item.blank;
    const auto score = static_cast<double>(item.scores[t * item.C + symbol]);
    if (path_scores) path_scores[t] = score;
    total += score;
    left_out += t > 0 && !label && state - states[t - 1] == 2;
  }
  return left_out > 0 ? total - static_cast<double>(left_out) * item.options.skip_penalty : total;
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
double align_item(const AlignItem<Real>& item, int32_t* states, double* path_scores, Interrupt& interrupt) {
  if (!kernels<Real>().align_row.are_scores(item.T * item.C, item.scores))
    return std::numeric_limits<double>::quiet_NaN();
  if (item.T < item.L) return -kInf;
  if (item.T == 0) return 0;
  if (item.L == 0 && !item.has_blanks()) return -kInf;
  if (!find_path(item, states, interrupt)) return -kInf;
  return path_total(item, states, path_scores);
}

}  // namespace

template <class Real>
void align(const TrellisShape& s, const AlignOptions& options, const Real* scores, int32_t* states,
           double* totals, double* path_scores, Interrupt& interrupt) {
  const int64_t cells = s.T * (s.target_offsets[s.N] + s.N);
  parallel_for(s.N, cells / kCellsPerOperation, [&](int64_t n) {
    if (interrupt.requested()) return;
    int32_t* item_states = states + n * s.T;
    double* item_scores = path_scores ? path_scores + n * s.T : nullptr;
    std::fill_n(item_states, s.T, -1);
    if (item_scores) std::fill_n(item_scores, s.T, 0.0);
    totals[n] = align_item(make_item(s, options, scores, n), item_states, item_scores, interrupt);
  });
}

template void align(const TrellisShape&, const AlignOptions&, const float*, int32_t*, double*, double*,
                    Interrupt&);
template void align(const TrellisShape&, const AlignOptions&, const double*, int32_t*, double*, double*,
                    Interrupt&);

}  // namespace unrolled
