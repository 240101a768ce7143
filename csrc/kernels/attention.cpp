#include "kernels/attention.h"

#include "kernels/math.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// run(first, count) for vectors of n elements, of which the last may be short.
template <class Real, class Run>
UNROLLED_INLINE void for_each_vector(int64_t n, Run run) {
  constexpr int64_t W = kWidth<Real>;
  int64_t i = 0;
  for (; i + W <= n; i += W) run(i, W);
  if (i < n) run(i, n - i);
}

// tanh(query + key) of both as they are.
struct TanhOfSum {
  template <class Real>
  static UNROLLED_INLINE Vec<Real> tanh(Vec<Real> query, Vec<Real> key) {
    return UNROLLED_LEVEL::tanh<Real>(query + key);
  }
};

// Of both as exp(2x): tanh(q + k) = 1 - 2 / (1 + exp(2q) exp(2k)), so that a pair costs a division and no
// exponential. A product beyond the range of Real is inf or 0, and the tanh is 1 or -1 as it should be.
struct TanhOfExp {
  template <class Real>
  static UNROLLED_INLINE Vec<Real> tanh(Vec<Real> query, Vec<Real> key) {
    return Real(1) - Real(2) / (Real(1) + query * key);
  }
};

template <class Real, class Tanh>
void additive(int64_t S, int64_t K, const Real* query, const Real* keys, const Real* v, Real* scores) {
  for (int64_t s = 0; s < S; ++s) {
    const Real* key = keys + s * K;
    scores[s] = static_cast<Real>(sum_mapped<Real>(K, [=](int64_t i, int64_t count) {
      return Tanh::template tanh<Real>(load_or_zero(query + i, count), load_or_zero(key + i, count)) *
             load_or_zero(v + i, count);
    }));
  }
}

// Some rows of the keys side by side: each stream is read in order, and the sums over them meet memory once.
template <class Real, class Tanh, int rows>
UNROLLED_INLINE void additive_rows_backward(int64_t K, const Real* grad_scores, const Real* query,
                                            const Real* keys, const Real* v, Real* grad_query,
                                            Real* grad_keys, Real* grad_v) {
  for_each_vector<Real>(K, [=](int64_t i, int64_t count) {
    const Vec<Real> q = load_or_zero(query + i, count), of_v = load_or_zero(v + i, count);
    Vec<Real> sum_query = load_or_zero(grad_query + i, count), sum_v = load_or_zero(grad_v + i, count);
#pragma GCC unroll 4
    for (int s = 0; s < rows; ++s) {
      const Vec<Real> hidden = Tanh::template tanh<Real>(q, load_or_zero(keys + s * K + i, count));
      const Vec<Real> grad = broadcast<Real>(grad_scores[s]);
      const Vec<Real> inner = grad * of_v * (Real(1) - hidden * hidden);
      sum_v += grad * hidden;
      sum_query += inner;
      Real* grad_key = grad_keys + s * K + i;
      store_some(grad_key, count, load_or_zero(grad_key, count) + inner);
    }
    store_some(grad_query + i, count, sum_query);
    store_some(grad_v + i, count, sum_v);
  });
}

template <class Real, class Tanh>
void additive_backward(int64_t S, int64_t K, const Real* grad_scores, const Real* query, const Real* keys,
                       const Real* v, Real* grad_query, Real* grad_keys, Real* grad_v) {
  constexpr int kRows = 4;
  std::memset(grad_query, 0, static_cast<size_t>(K) * sizeof(Real));
  int64_t s = 0;
  for (; s + kRows <= S; s += kRows) {
    additive_rows_backward<Real, Tanh, kRows>(K, grad_scores + s, query, keys + s * K, v, grad_query,
                                              grad_keys + s * K, grad_v);
  }
  for (; s < S; ++s) {
    additive_rows_backward<Real, Tanh, 1>(K, grad_scores + s, query, keys + s * K, v, grad_query,
                                          grad_keys + s * K, grad_v);
  }
}

// The largest |query| whose exp(2x) is finite and above 0.
template <class Real>
inline constexpr Real kLargestQuery = (MathConstants<Real>::kExpMax - Real(3)) / Real(2);
// The largest |key| that leaves tanh(query + key) at 1 or -1 for any query beyond.
template <class Real>
inline constexpr Real kLargestKey = kLargestQuery<Real> - MathConstants<Real>::kTanhMax;

template <class Real>
void exp_query(int64_t n, Real* query) {
  map(n, query, query, [](Vec<Real> x) {
    x = x > kLargestQuery<Real> ? broadcast<Real>(kLargestQuery<Real>) : x;
    x = x < -kLargestQuery<Real> ? broadcast<Real>(-kLargestQuery<Real>) : x;
    return exp<Real>(x + x);
  });
}

template <class Real>
bool exp_keys(int64_t n, Real* keys) {
  const double beyond = sum_mapped<Real>(n, [=](int64_t i, int64_t count) {
    const Vec<Real> key = load_or_zero(keys + i, count);
    return abs<Real>(key) <= kLargestKey<Real> ? Vec<Real>{} : broadcast<Real>(1);  // NaN is beyond, too
  });
  if (beyond > 0) return false;
  exp_query(n, keys);
  return true;
}

// Four vectors of a row at a time, so that each weight is read once for them.
template <class Real>
void weighted_sum(int64_t S, int64_t M, const Real* weights, const Real* rows, Real* y) {
  constexpr int kVectors = 4;
  constexpr int64_t W = kWidth<Real>;
  int64_t i = 0;
  for (; i + kVectors * W <= M; i += kVectors * W) {
    Vec<Real> sum[kVectors] = {};
    for (int64_t s = 0; s < S; ++s) {
      const Vec<Real> weight = broadcast<Real>(weights[s]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[v] += weight * load(rows + s * M + i + v * W);
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) store(y + i + v * W, sum[v]);
  }
  for_each_vector<Real>(M - i, [=](int64_t j, int64_t count) {
    Vec<Real> sum = {};
    for (int64_t s = 0; s < S; ++s) sum += weights[s] * load_or_zero(rows + s * M + i + j, count);
    store_some(y + i + j, count, sum);
  });
}

template <class Real>
void add_outer(int64_t S, int64_t M, const Real* weights, const Real* x, Real* rows) {
  for (int64_t s = 0; s < S; ++s, rows += M) {
    const Vec<Real> weight = broadcast<Real>(weights[s]);
    for_each_vector<Real>(M, [=](int64_t i, int64_t count) {
      store_some(rows + i, count, load_or_zero(rows + i, count) + weight * load_or_zero(x + i, count));
    });
  }
}

template <class Real>
void tanh_bias(int64_t n, const Real* bias, Real* y) {
  map2(n, y, bias, y, [](Vec<Real> sum, Vec<Real> b) { return tanh<Real>(sum + b); });
}

template <class Real>
void tanh_backward(int64_t n, const Real* y, Real* grad) {
  map2(n, y, grad, grad, [](Vec<Real> value, Vec<Real> g) { return g * (Real(1) - value * value); });
}

}  // namespace

template <class Real>
AttentionKernels<Real> attention_kernels() {
  return {.additive = {additive<Real, TanhOfSum>, additive_backward<Real, TanhOfSum>},
          .additive_exp = {additive<Real, TanhOfExp>, additive_backward<Real, TanhOfExp>},
          .exp_keys = exp_keys<Real>,
          .exp_query = exp_query<Real>,
          .weighted_sum = weighted_sum<Real>,
          .add_outer = add_outer<Real>,
          .tanh_bias = tanh_bias<Real>,
          .tanh_backward = tanh_backward<Real>};
}
template AttentionKernels<float> attention_kernels();
template AttentionKernels<double> attention_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
