#include "kernels/align.h"
#include "kernels/simd_bytes.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

typedef Vec<double> V;
constexpr int64_t W = kWidth<double>;

// The best of three ways into a state, by the tie rule, and which it was.
UNROLLED_INLINE V best_way(V stay, V step, V skip, IntVec<double>& move) {
  const IntVec<double> steps = step > stay;
  const V best = steps ? step : stay;
  const IntVec<double> skips = skip > best;
  move = skips ? IntVec<double>{} + int{kAlignSkip} : steps & int{kAlignStep};
  return skips ? skip : best;
}

template <class Real>
UNROLLED_INLINE V emissions(const Real* scores, const int32_t* classes) {
  V e;
  for (int64_t lane = 0; lane < W; ++lane) e[lane] = static_cast<double>(scores[classes[lane]]);
  return e;
}

template <class Real>
void step(int64_t first, int64_t last, const Real* scores, const int32_t* classes, const double* skip,
          double blank, double leave_out, AlignRow from, AlignRow to, uint8_t* moves) {
  for (int64_t i = first; i < last; i += W) {
    const V label = load(from.labels + i), label_before = load(from.labels + i - 1);
    const V blank_here = load(from.blanks + i), blank_before = load(from.blanks + i - 1);
    IntVec<double> label_move, blank_move;
    const V label_best = best_way(label, blank_here, label_before + load(skip + i), label_move);
    const V blank_best = best_way(blank_here, label_before, blank_before + leave_out, blank_move);
    store(to.labels + i, label_best + emissions(scores, classes + i));
    store(to.blanks + i, blank_best + blank);
    if (moves) store_bytes<double>(moves + i - first, narrow<double>(label_move | (blank_move << 2)));
  }
}

template <class Real>
bool are_scores(int64_t n, const Real* x) {
  constexpr Real kInf = static_cast<Real>(__builtin_huge_val());
  IntVec<Real> wrong = {};
  int64_t i = 0;
  for (; i + kWidth<Real> <= n; i += kWidth<Real>) wrong |= ~(load(x + i) < kInf);
  if (i < n) wrong |= ~(load_partial(x + i, n - i, Real(0)) < kInf);
  int64_t parts[sizeof wrong / sizeof(int64_t)], any = 0;
  std::memcpy(parts, &wrong, sizeof wrong);
  for (const int64_t part : parts) any |= part;
  return any == 0;
}

}  // namespace

template <class Real>
AlignRowKernels<Real> align_row_kernels() {
  return {W, step<Real>, are_scores<Real>};
}
template AlignRowKernels<float> align_row_kernels();
template AlignRowKernels<double> align_row_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
