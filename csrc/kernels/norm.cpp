#include "kernels/norm.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// Rows that are added in lanes of Real before the sum goes on in double.
constexpr int64_t kRowBlock = 32;

template <class Real>
UNROLLED_INLINE void store_some(Real* p, int64_t count, Vec<Real> v) {
  if (count == kWidth<Real>) return store(p, v);
  store_partial(p, count, v);
}

// `weight` from i, or 1 where there is none.
template <class Real>
UNROLLED_INLINE Vec<Real> weight_at(const Real* weight, int64_t i, int64_t count) {
  return weight ? load_or_zero(weight + i, count) : broadcast<Real>(1);
}

template <class Real>
double sum(int64_t n, const Real* x) {
  return sum_mapped<Real>(n, [x](int64_t i, int64_t count) { return load_or_zero(x + i, count); });
}

// Two sums of one pass, in the order of sum_mapped: term(i, count, pair) gives the terms of both.
template <class Real, class Term>
UNROLLED_INLINE void sum_pairs(int64_t n, double* sums, Term term) {
  constexpr int64_t W = kWidth<Real>, kBlock = 64 * W;
  sums[0] = sums[1] = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    Vec<Real> even[2] = {}, odd[2] = {}, terms[2];
    int64_t i = begin;
    for (; i + 2 * W <= end; i += 2 * W) {
      term(i, W, terms);
      even[0] += terms[0];
      even[1] += terms[1];
      term(i + W, W, terms);
      odd[0] += terms[0];
      odd[1] += terms[1];
    }
    for (; i < end; i += W) {
      term(i, end - i < W ? end - i : W, terms);
      even[0] += terms[0];
      even[1] += terms[1];
    }
    sums[0] += static_cast<double>(sum_lanes<Real>(even[0] + odd[0]));
    sums[1] += static_cast<double>(sum_lanes<Real>(even[1] + odd[1]));
  }
}

template <class Real>
void deviation_sums(int64_t n, const Real* x, Real center, double* sums) {
  sum_pairs<Real>(n, sums, [=](int64_t i, int64_t count, Vec<Real>* terms) {
    terms[0] = (count == kWidth<Real> ? load(x + i) : load_partial(x + i, count, center)) - center;
    terms[1] = terms[0] * terms[0];
  });
}

template <class Real>
void gradient_sums(int64_t n, const Real* grad_y, const Real* x, const Real* weight, Real mean,
                   double* sums) {
  sum_pairs<Real>(n, sums, [=](int64_t i, int64_t count, Vec<Real>* terms) {
    terms[0] = load_or_zero(grad_y + i, count) * weight_at(weight, i, count);
    terms[1] = terms[0] * (load_or_zero(x + i, count) - mean);
  });
}

template <class Real>
void normalize(int64_t n, const Real* x, Real mean, Real scale, Real shift, Real* y) {
  map(n, x, y, [=](Vec<Real> v) { return (v - mean) * scale + shift; });
}

template <class Real>
void normalize_backward(int64_t n, const Real* grad_y, const Real* x, Real mean, Real scale, Real mean_grad,
                        Real slope, Real* grad_x) {
  map2(n, grad_y, x, grad_x,
       [=](Vec<Real> g, Vec<Real> v) { return scale * (g - mean_grad - (v - mean) * slope); });
}

// kTogether vectors of columns, or the `count` columns of one: their sums down the rows, sums (kSums, n).
template <class Real, int kSums, int kTogether, class Term>
UNROLLED_INLINE void sum_column_block(int64_t rows, int64_t n, int64_t i, int64_t count, double* sums,
                                      Term term) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t begin = 0; begin < rows; begin += kRowBlock) {
    const int64_t end = begin + kRowBlock < rows ? begin + kRowBlock : rows;
    Vec<Real> block[kTogether][kSums] = {};
    for (int64_t row = begin; row < end; ++row) {
#pragma GCC unroll 4
      for (int64_t k = 0; k < kTogether; ++k) {
        Vec<Real> terms[kSums];
        term(row, i + k * W, count, terms);
        for (int which = 0; which < kSums; ++which) block[k][which] += terms[which];
      }
    }
    for (int which = 0; which < kSums; ++which) {
      for (int64_t k = 0; k < kTogether; ++k) {
        double* to = sums + which * n + i + k * W;
        for (int64_t lane = 0; lane < count; ++lane) {
          to[lane] = (begin == 0 ? 0 : to[lane]) + static_cast<double>(block[k][which][lane]);
        }
      }
    }
  }
}

// Sums of term(row, column, count, terms) down every column: kSums of them, each (n).
template <class Real, int kSums, class Term>
UNROLLED_INLINE void sum_columns(int64_t rows, int64_t n, double* sums, Term term) {
  constexpr int64_t W = kWidth<Real>, kTogether = 4;
  int64_t i = 0;
  if (rows == 0) {
    for (; i < kSums * n; ++i) sums[i] = 0;
    return;
  }
  for (; i + kTogether * W <= n; i += kTogether * W) {
    sum_column_block<Real, kSums, kTogether>(rows, n, i, W, sums, term);
  }
  for (; i + W <= n; i += W) sum_column_block<Real, kSums, 1>(rows, n, i, W, sums, term);
  if (i < n) sum_column_block<Real, kSums, 1>(rows, n, i, n - i, sums, term);
}

template <class Real>
void column_sums(int64_t rows, int64_t stride, int64_t n, const Real* x, double* sums) {
  sum_columns<Real, 1>(rows, n, sums, [=](int64_t row, int64_t i, int64_t count, Vec<Real>* terms) {
    terms[0] = load_or_zero(x + row * stride + i, count);
  });
}

template <class Real>
void column_deviation_sums(int64_t rows, int64_t stride, int64_t n, const Real* x, const Real* center,
                           double* sums) {
  sum_columns<Real, 2>(rows, n, sums, [=](int64_t row, int64_t i, int64_t count, Vec<Real>* terms) {
    terms[0] = load_or_zero(x + row * stride + i, count) - load_or_zero(center + i, count);
    terms[1] = terms[0] * terms[0];
  });
}

template <class Real>
void column_gradient_sums(int64_t rows, int64_t stride, int64_t n, const Real* grad_y, const Real* x,
                          const Real* mean, double* sums) {
  sum_columns<Real, 2>(rows, n, sums, [=](int64_t row, int64_t i, int64_t count, Vec<Real>* terms) {
    terms[0] = load_or_zero(grad_y + row * stride + i, count);
    terms[1] = terms[0] * (load_or_zero(x + row * stride + i, count) - load_or_zero(mean + i, count));
  });
}

template <class Real>
void normalize_columns(int64_t rows, int64_t stride, int64_t n, const Real* x, const Real* mean,
                       const Real* scale, const Real* shift, Real* y) {
  for (int64_t i = 0; i < n; i += kWidth<Real>) {
    const int64_t count = n - i < kWidth<Real> ? n - i : kWidth<Real>;
    const Vec<Real> m = load_or_zero(mean + i, count), s = load_or_zero(scale + i, count),
                    b = load_or_zero(shift + i, count);
    for (int64_t at = i; at < rows * stride; at += stride) {
      store_some(y + at, count, (load_or_zero(x + at, count) - m) * s + b);
    }
  }
}

template <class Real>
void normalize_columns_backward(int64_t rows, int64_t stride, int64_t n, const Real* grad_y, const Real* x,
                                const Real* mean, const Real* scale, const Real* mean_grad, const Real* slope,
                                Real* grad_x) {
  for (int64_t i = 0; i < n; i += kWidth<Real>) {
    const int64_t count = n - i < kWidth<Real> ? n - i : kWidth<Real>;
    const Vec<Real> m = load_or_zero(mean + i, count), s = load_or_zero(scale + i, count),
                    g = load_or_zero(mean_grad + i, count), d = load_or_zero(slope + i, count);
    for (int64_t at = i; at < rows * stride; at += stride) {
      const Vec<Real> v = load_or_zero(x + at, count) - m;
      store_some<Real>(grad_x + at, count, s * (load_or_zero(grad_y + at, count) - g - v * d));
    }
  }
}

template <class Real>
void normalize_row(int64_t n, const Real* x, Real mean, Real inverse, const Real* weight, const Real* bias,
                   Real* y) {
  for (int64_t i = 0; i < n; i += kWidth<Real>) {
    const int64_t count = n - i < kWidth<Real> ? n - i : kWidth<Real>;
    Vec<Real> v = (load_or_zero(x + i, count) - mean) * inverse;
    if (weight) v *= load_or_zero(weight + i, count);
    if (bias) v += load_or_zero(bias + i, count);
    store_some(y + i, count, v);
  }
}

template <class Real>
void normalize_row_backward(int64_t n, const Real* grad_y, const Real* x, const Real* weight, Real mean,
                            Real inverse, Real mean_grad, Real slope, Real* grad_x, Real* grad_weight,
                            Real* grad_bias) {
  for (int64_t i = 0; i < n; i += kWidth<Real>) {
    const int64_t count = n - i < kWidth<Real> ? n - i : kWidth<Real>;
    const Vec<Real> g = load_or_zero(grad_y + i, count), d = load_or_zero(x + i, count) - mean;
    const Vec<Real> weighted = g * weight_at(weight, i, count);
    store_some<Real>(grad_x + i, count, inverse * (weighted - mean_grad - d * slope));
    store_some<Real>(grad_weight + i, count, load_or_zero(grad_weight + i, count) + g * (d * inverse));
    store_some<Real>(grad_bias + i, count, load_or_zero(grad_bias + i, count) + g);
  }
}

}  // namespace

template <class Real>
NormKernels<Real> norm_kernels() {
  return {sum<Real>,
          deviation_sums<Real>,
          gradient_sums<Real>,
          normalize<Real>,
          normalize_backward<Real>,
          column_sums<Real>,
          column_deviation_sums<Real>,
          column_gradient_sums<Real>,
          normalize_columns<Real>,
          normalize_columns_backward<Real>,
          normalize_row<Real>,
          normalize_row_backward<Real>};
}
template NormKernels<float> norm_kernels();
template NormKernels<double> norm_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
