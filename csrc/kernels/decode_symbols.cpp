#include "kernels/decode_symbols.h"

#include "kernels/math.h"
#include "kernels/simd_compress.h"
#include "kernels/simd_extremes.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
bool largest_of_rows(int64_t n, int64_t C, const Real* x, Real most, Real least, Real* to, int32_t* count) {
  constexpr Real kLowest = -static_cast<Real>(__builtin_huge_val());
  const Vec<Real> bound = broadcast(most), alive = broadcast(least);
  unsigned good = (1U << kWidth<Real>)-1;
  for (int64_t t = 0; t < n; ++t, x += C) {
    Vec<Real> best = broadcast(kLowest);
    int found = 0;
    for (int64_t c = 0; c < C; c += kWidth<Real>) {
      const Vec<Real> v = c + kWidth<Real> <= C ? load(x + c) : load_partial(x + c, C - c, kLowest);
      good &= bits_at_least<Real>(bound, v);
      found += __builtin_popcount(bits_at_least<Real>(v, alive));
      best = max(best, v);
    }
    to[t] = largest_lane<Real>(best);
    count[t] = found;
  }
  return good == (1U << kWidth<Real>)-1;
}

template <class Real>
int64_t find_at_least(int64_t n, const Real* x, Real least, int32_t* place, Real* value) {
  constexpr Real kLowest = -static_cast<Real>(__builtin_huge_val());
  const Vec<Real> bound = broadcast(least);
  int64_t found = 0;
  for (int64_t i = 0; i < n; i += kWidth<Real>) {
    const Vec<Real> v = i + kWidth<Real> <= n ? load(x + i) : load_partial(x + i, n - i, kLowest);
    const unsigned bits = bits_at_least<Real>(v, bound);
    if (!bits) continue;
    compress<Real>(value + found, v, bits);
    found += compress<Real>(place + found, lane_numbers<Real>(static_cast<int32_t>(i)), bits);
  }
  return found;
}

// The k-th largest of the maxima of as many groups as there is room for.
template <class Real>
Real bound_of_best(int64_t n, const Real* x, int64_t k, int64_t groups, Real* scratch) {
  constexpr Real kLowest = -static_cast<Real>(__builtin_huge_val());
  for (int64_t g = 0; g < groups; ++g) scratch[g] = kLowest;
  int64_t g = 0;
  for (int64_t i = 0; i < n; i += kWidth<Real>) {
    const Vec<Real> v = i + kWidth<Real> <= n ? load(x + i) : load_partial(x + i, n - i, kLowest);
    store(scratch + g, max(v, load(scratch + g)));
    g = g + kWidth<Real> < groups ? g + kWidth<Real> : 0;
  }
  // From below: the bound that k of the maxima reach, to within a 64th of the way.
  Real low = scratch[0], high = scratch[0];
  for (int64_t i = 0; i < groups; ++i) {
    low = scratch[i] < low ? scratch[i] : low;
    high = scratch[i] > high ? scratch[i] : high;
  }
  if (!(low > kLowest)) return kLowest;
  for (int round = 0; round < 6; ++round) {
    const Real middle = low + (high - low) * Real(0.5);
    int64_t count = 0;
    for (int64_t i = 0; i < groups; i += kWidth<Real>) {
      count += __builtin_popcount(bits_at_least<Real>(load(scratch + i), broadcast(middle)));
    }
    (count >= k ? low : high) = middle;
  }
  return low;
}

template <class Real>
void probabilities(int64_t n, const Real* x, Real top, Real factor, Real* y) {
  map<Real>(n, x, y, [=](Vec<Real> v) { return exp<Real>(v - top) * factor; });
}

template <class Real>
void probabilities_of_rows(int64_t n, int64_t C, const Real* x, const Real* tops, Real* y) {
  for (int64_t t = 0; t < n; ++t) probabilities<Real>(C, x + t * C, tops[t], Real(1), y + t * C);
}

template <class Real>
int64_t pick(int64_t C, const Real* x, const Real* p, Real top, Real least, Real factor, Real* of_class,
             int32_t* place, Real* probability) {
  constexpr int64_t W = kWidth<Real>;
  constexpr Real kLowest = -static_cast<Real>(__builtin_huge_val());
  const Vec<Real> bound = broadcast(least);
  int64_t found = 0;
  for (int64_t c = 0; c < C; c += W) {
    const int64_t count = C - c < W ? C - c : W;
    const Vec<Real> v = count == W ? load(x + c) : load_partial(x + c, count, kLowest);
    const unsigned bits = bits_at_least<Real>(v, bound);
    if (!bits) {
      store(of_class + c, Vec<Real>{});
      continue;
    }
    const Vec<Real> scaled = (p ? load_or_zero<Real>(p + c, count) : exp<Real>(v - top)) * factor;
    store(of_class + c, v >= bound ? scaled : Vec<Real>{});
    compress<Real>(probability + found, scaled, bits);
    found += compress<Real>(place + found, lane_numbers<Real>(static_cast<int32_t>(c)), bits);
  }
  return found;
}

}  // namespace

template <class Real>
DecodeSymbolKernels<Real> decode_symbol_kernels() {
  return {largest_of_rows<Real>, find_at_least<Real>,         bound_of_best<Real>,
          probabilities<Real>,   probabilities_of_rows<Real>, pick<Real>};
}
template DecodeSymbolKernels<float> decode_symbol_kernels();
template DecodeSymbolKernels<double> decode_symbol_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
