#include "kernels/attention.h"

#include "kernels/math.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
void additive(int64_t S, int64_t K, const Real* query, const Real* keys, const Real* v, Real* hidden,
              Real* scores) {
  for (int64_t s = 0; s < S; ++s) {
    const Real* key = keys + s * K;
    scores[s] = static_cast<Real>(sum_mapped<Real>(K, [=](int64_t i, int64_t count) {
      const Vec<Real> t = tanh<Real>(load_or_zero(query + i, count) + load_or_zero(key + i, count));
      if (hidden) store_partial<Real>(hidden + s * K + i, count, t);
      return t * load_or_zero(v + i, count);
    }));
  }
}

template <class Real>
void additive_backward(int64_t S, int64_t K, const Real* grad_scores, const Real* hidden, const Real* v,
                       Real* grad_query, Real* grad_keys, Real* grad_v) {
  for (int64_t s = 0; s < S; ++s) {
    const Real g = grad_scores[s];
    const Real* h = hidden + s * K;
    for (int64_t k = 0; k < K; ++k) {
      const Real inner = g * v[k] * (1 - h[k] * h[k]);
      grad_query[k] += inner;
      grad_keys[s * K + k] += inner;
      grad_v[k] += g * h[k];
    }
  }
}

}  // namespace

template <class Real>
AttentionKernels<Real> attention_kernels() {
  return {additive<Real>, additive_backward<Real>};
}
template AttentionKernels<float> attention_kernels();
template AttentionKernels<double> attention_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
