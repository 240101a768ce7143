#include "kernels/conv_thin.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// Blocks of sums that stay in registers. Forward: channels x vectors of pixels. By the input: taps x vectors.
// By the weight: channels x taps.
#if UNROLLED_VECTOR_BYTES == 64 || defined(__aarch64__)  // 32 vector registers
constexpr int kForwardRows = 8, kForwardVectors = 2;
constexpr int kProjectTaps = 9, kProjectVectors = 2;
constexpr int kWeightRows = 3, kWeightTaps = 9;
#elif UNROLLED_VECTOR_BYTES == 32  // 16 registers and a fused multiply-add
constexpr int kForwardRows = 6, kForwardVectors = 2;
constexpr int kProjectTaps = 9, kProjectVectors = 1;
constexpr int kWeightRows = 3, kWeightTaps = 3;
#else                              // 16 registers, one of them for the product
constexpr int kForwardRows = 4, kForwardVectors = 2;
constexpr int kProjectTaps = 9, kProjectVectors = 1;
constexpr int kWeightRows = 3, kWeightTaps = 3;
#endif

template <class Real>
void shift_planes(const ThinShape& s, int64_t first, int64_t rows, const Real* x, Real* planes,
                  int64_t plane_step) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t c = 0; c < s.C; ++c, x += s.H * s.W) {
    for (int64_t q = 0; q < s.S; ++q, planes += plane_step) {
      Real* to = planes;
      for (int64_t i = 0; i < rows + s.R - 1; ++i, to += s.OW) {
        const int64_t h = first + i - s.pad_top, shift = q - s.pad_left;
        const Real* row = x + h * s.W + shift;
        const bool inside = h >= 0 && h < s.H;
        // The last vector goes on into the next row, which is written after this one.
        for (int64_t j = 0; j < s.OW; j += W) {
          if (!inside) {
            store(to + j, Vec<Real>{});
          } else if (j + shift >= 0 && j + shift + W <= s.W) {
            store(to + j, load(row + j));
          } else {
            store(to + j, load_between(row + j, -shift - j, s.W - shift - j, Real(0)));
          }
        }
      }
    }
  }
}

// Calls f(constant) with the constant that equals n, 1 <= n <= most.
template <int most, class F>
UNROLLED_INLINE void with_constant(int64_t n, F&& f);

template <int n>
struct Constant {
  static constexpr int value = n;
};

template <int most, class F>
UNROLLED_INLINE void with_constant(int64_t n, F&& f) {
  if constexpr (most > 1) {
    if (n < most) return with_constant<most - 1>(n, f);
  }
  f(Constant<most>{});
}

template <class Real>
struct Forward {
  int64_t taps;
  const int64_t* offsets;
  const Real* weight;
  const Real* bias;
  bool relu;
};

// `count` pixels of the last vector are stored.
template <class Real, int rows, int vectors>
UNROLLED_INLINE void correlate_block(const Forward<Real>& f, const Real* planes, int64_t count, Real* y,
                                     int64_t y_step) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> sum[rows][vectors];
#pragma GCC unroll 8
  for (int k = 0; k < rows; ++k) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[k][v] = broadcast<Real>(f.bias ? f.bias[k] : Real(0));
  }
  const Real* weight = f.weight;
  for (int64_t j = 0; j < f.taps; ++j, weight += rows) {
    const Real* from = planes + f.offsets[j];
    Vec<Real> x[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) x[v] = keep(load(from + v * W));
#pragma GCC unroll 8
    for (int k = 0; k < rows; ++k) {
      const Vec<Real> tap = broadcast<Real>(weight[k]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[k][v] += tap * x[v];
    }
  }
  if (f.relu) {
#pragma GCC unroll 8
    for (int k = 0; k < rows; ++k) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[k][v] = sum[k][v] <= Real(0) ? Vec<Real>{} : sum[k][v];
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < rows; ++k) {
#pragma GCC unroll 8
    for (int v = 0; v + 1 < vectors; ++v) store(y + k * y_step + v * W, sum[k][v]);
    Real* last = y + k * y_step + (vectors - 1) * W;
    if (count == W) {
      store(last, sum[k][vectors - 1]);
    } else {
      store_partial(last, count, sum[k][vectors - 1]);
    }
  }
}

template <class Real, int rows>
void correlate_rows(int64_t n, const Forward<Real>& f, const Real* planes, Real* y, int64_t y_step) {
  constexpr int64_t W = kWidth<Real>, step = kForwardVectors * W;
  int64_t p = 0;
  for (; p + step <= n; p += step)
    correlate_block<Real, rows, kForwardVectors>(f, planes + p, W, y + p, y_step);
  for (; p < n; p += W) {
    correlate_block<Real, rows, 1>(f, planes + p, n - p < W ? n - p : W, y + p, y_step);
  }
}

template <class Real>
void correlate(int64_t n, int64_t channels, int64_t taps, const int64_t* offsets, const Real* planes,
               const Real* weight, const Real* bias, bool relu, Real* y, int64_t y_step) {
  const Forward<Real> f = {taps, offsets, weight, bias, relu};
  with_constant<kForwardRows>(
      channels, [&](auto rows) { correlate_rows<Real, decltype(rows)::value>(n, f, planes, y, y_step); });
}

template <class Real, int taps, int vectors>
UNROLLED_INLINE void project_block(int64_t K, const Real* weight, const Real* grad_y, int64_t y_step,
                                   Real* parts, int64_t part_step, int64_t count) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> sum[taps][vectors] = {};
  for (int64_t k = 0; k < K; ++k, weight += taps, grad_y += y_step) {
    Vec<Real> g[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      g[v] = keep(v + 1 < vectors || count == W ? load(grad_y + v * W)
                                                : load_partial(grad_y + v * W, count, Real(0)));
      // The block beside this one: rows lie too far apart for the processor to foresee it.
      __builtin_prefetch(grad_y + (v + 2 * vectors) * W);
    }
#pragma GCC unroll 16
    for (int j = 0; j < taps; ++j) {
      const Vec<Real> tap = broadcast<Real>(weight[j]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[j][v] += tap * g[v];
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < taps; ++j) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) store(parts + j * part_step + v * W, sum[j][v]);
  }
}

template <class Real, int taps>
void project_taps(int64_t n, int64_t K, const Real* weight, const Real* grad_y, int64_t y_step, Real* parts,
                  int64_t part_step) {
  constexpr int64_t W = kWidth<Real>, step = kProjectVectors * W;
  int64_t p = 0;
  for (; p + step <= n; p += step) {
    project_block<Real, taps, kProjectVectors>(K, weight, grad_y + p, y_step, parts + p, part_step, W);
  }
  for (; p < n; p += W) {
    project_block<Real, taps, 1>(K, weight, grad_y + p, y_step, parts + p, part_step, n - p < W ? n - p : W);
  }
}

template <class Real>
void project(int64_t n, int64_t K, int64_t taps, const Real* weight, const Real* grad_y, int64_t y_step,
             Real* parts, int64_t part_step) {
  with_constant<kProjectTaps>(taps, [&](auto count) {
    project_taps<Real, decltype(count)::value>(n, K, weight, grad_y, y_step, parts, part_step);
  });
}

template <class Real>
void gather_row(const ThinShape& s, int64_t r0, int64_t r1, const Real* parts, int64_t part_step,
                Real* grad_x) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t w = 0; w < s.W; w += W) {
    Vec<Real> sum = {};
    for (int64_t q = 0; q < s.S; ++q) {
      const int64_t column = w + s.pad_left - q;  // of y, of the first lane
      const bool whole = column >= 0 && column + W <= s.OW;
      const Real* from = parts + (r0 * s.S + q) * part_step - r0 * s.OW + column;
      for (int64_t r = r0; r < r1; ++r, from += s.S * part_step - s.OW) {
        sum += whole ? load(from) : load_between(from, -column, s.OW - column, Real(0));
      }
    }
    if (w + W <= s.W) {
      store(grad_x + w, sum);
    } else {
      store_partial(grad_x + w, s.W - w, sum);
    }
  }
}

// Every block's sums start from zero: shorter chains are more accurate. `partial`: one vector of `n` pixels.
template <class Real, int rows, bool partial>
UNROLLED_INLINE void correlate_taps_block(int64_t n, const int64_t* offsets, const Real* planes,
                                          const Real* grad_y, int64_t y_step, int64_t row_step, Real* sums) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> sum[rows][kWeightTaps] = {};
  const auto load_pixels = [n](const Real* from) {
    return keep(partial ? load_partial(from, n, Real(0)) : load(from));
  };
  for (int64_t p = 0; p < n; p += W) {
    Vec<Real> g[rows];
#pragma GCC unroll 8
    for (int k = 0; k < rows; ++k) g[k] = load_pixels(grad_y + k * y_step + p);
#pragma GCC unroll 16
    for (int j = 0; j < kWeightTaps; ++j) {
      const Vec<Real> x = load_pixels(planes + offsets[j] + p);
#pragma GCC unroll 8
      for (int k = 0; k < rows; ++k) sum[k][j] += g[k] * x;
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < rows; ++k) {
#pragma GCC unroll 16
    for (int j = 0; j < kWeightTaps; ++j) {
      Real* total = sums + k * row_step + j * W;
      store(total, load(total) + sum[k][j]);
    }
  }
}

template <class Real, int rows>
void correlate_taps_rows(int64_t n, int64_t taps, const int64_t* offsets, const Real* planes,
                         const Real* grad_y, int64_t y_step, Real* sums) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t whole = n - n % W, row_step = (taps + 1) * W;
  for (int64_t j = 0; j < taps; j += kWeightTaps) {
    correlate_taps_block<Real, rows, false>(whole, offsets + j, planes, grad_y, y_step, row_step,
                                            sums + j * W);
    if (whole < n) {
      correlate_taps_block<Real, rows, true>(n - whole, offsets + j, planes + whole, grad_y + whole, y_step,
                                             row_step, sums + j * W);
    }
  }
  for (int k = 0; k < rows; ++k, grad_y += y_step) {
    Vec<Real> sum[4] = {};
    int64_t p = 0;
    for (; p + 4 * W <= n; p += 4 * W) {
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sum[v] += load(grad_y + p + v * W);
    }
    for (; p < n; p += W) sum[0] += load_or_zero(grad_y + p, n - p < W ? n - p : W);
    Real* total = sums + k * row_step + taps * W;
    store(total, load(total) + ((sum[0] + sum[1]) + (sum[2] + sum[3])));
  }
}

template <class Real>
void correlate_taps(int64_t n, int64_t channels, int64_t taps, const int64_t* offsets, const Real* planes,
                    const Real* grad_y, int64_t y_step, Real* sums) {
  const int64_t row_step = (taps + 1) * kWidth<Real>;
  for (int64_t k = 0; k < channels; k += kWeightRows) {
    const int64_t count = channels - k < kWeightRows ? channels - k : kWeightRows;
    with_constant<kWeightRows>(count, [&](auto rows) {
      correlate_taps_rows<Real, decltype(rows)::value>(n, taps, offsets, planes, grad_y + k * y_step, y_step,
                                                       sums + k * row_step);
    });
  }
}

}  // namespace

template <class Real>
ThinKernels<Real> thin_kernels() {
  return {kForwardRows,    kProjectTaps,  kWeightTaps,      kWidth<Real>,        shift_planes<Real>,
          correlate<Real>, project<Real>, gather_row<Real>, correlate_taps<Real>};
}
template ThinKernels<float> thin_kernels();
template ThinKernels<double> thin_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
