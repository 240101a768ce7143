#include "kernels/loss.h"

#include "kernels/math.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
constexpr Real kInf = __builtin_huge_val();

// Sums over classes in lanes are kept in blocks of this many, so that their error does not grow with C.
constexpr int64_t kClassBlock = 32;

// a * b where an `a` of 0 gives 0 even for an infinite b: a class that does not count may be masked.
template <class Real>
UNROLLED_INLINE Vec<Real> product_or_zero(Vec<Real> a, Vec<Real> b) {
  return a == Real(0) ? Vec<Real>{} : a * b;
}

// The first `count` lanes to memory, unless `p` is null.
template <class Real>
UNROLLED_INLINE void store_some(Real* p, int64_t i, int64_t count, Vec<Real> v) {
  if (!p) return;
  if (count == kWidth<Real>) return store(p + i, v);
  store_partial(p + i, count, v);
}

// The weights of the classes from i, and 0 beyond the last.
template <class Real>
UNROLLED_INLINE Vec<Real> weights_at(const Real* weight, int64_t i, int64_t count) {
  if (weight) return load_or_zero(weight + i, count);
  if (count == kWidth<Real>) return broadcast<Real>(1);
  Vec<Real> ones = {};
  for (int64_t lane = 0; lane < count; ++lane) ones[lane] = 1;
  return ones;
}

// Scores minus their maximum, and 0 beyond the last.
template <class Real>
UNROLLED_INLINE Vec<Real> shifted_at(const Real* x, int64_t i, int64_t count, Real top) {
  return (count == kWidth<Real> ? load(x + i) : load_partial(x + i, count, top)) - top;
}

// Sum of exp(x - top); the exponentials go to `e` unless it is null.
template <class Real>
double exponentials(int64_t C, const Real* x, Real top, Real* e) {
  return sum_mapped<Real>(C, [=](int64_t i, int64_t count) {
    const Vec<Real> v = count == kWidth<Real> ? load(x + i) : load_partial(x + i, count, -kInf<Real>);
    const Vec<Real> y = exp<Real>(v - top);
    store_some(e, i, count, y);
    return y;
  });
}

double log_of(double x) { return log<double>(broadcast<double>(x))[0]; }

template <class Real>
double cross_entropy_row(int64_t C, const Real* x, int64_t label, const CrossEntropyTerms<Real>& terms,
                         double scale, Real* grad) {
  const Real top = largest(C, x), smooth = terms.smooth;
  const Real* weight = terms.weight;
  const double sum = exponentials(C, x, top, grad);
  const double hit = static_cast<double>(terms.keep) * (weight ? static_cast<double>(weight[label]) : 1);
  const double total = hit + static_cast<double>(smooth) * terms.weight_sum;
  double loss = total * log_of(sum);
  if (hit != 0) loss -= hit * (static_cast<double>(x[label]) - static_cast<double>(top));
  if (smooth != 0) {
    loss -= sum_mapped<Real>(C, [=](int64_t i, int64_t count) {
      return product_or_zero<Real>(smooth * weights_at(weight, i, count), shifted_at(x, i, count, top));
    });
  }
  if (!grad) return loss;
  const Real factor = static_cast<Real>(scale * total / sum);
  if (smooth == 0) {
    map(C, grad, grad, [=](Vec<Real> e) { return e * factor; });
  } else {
    const Real share = static_cast<Real>(scale) * smooth;
    if (weight) {
      map2(C, grad, weight, grad, [=](Vec<Real> e, Vec<Real> w) { return e * factor - share * w; });
    } else {
      map(C, grad, grad, [=](Vec<Real> e) { return e * factor - share; });
    }
  }
  grad[label] -= static_cast<Real>(scale * hit);
  return loss;
}

template <class Real>
double cross_entropy_mixture_row(int64_t C, const Real* x, const Real* target,
                                 const CrossEntropyTerms<Real>& terms, double scale, Real* grad) {
  const Real top = largest(C, x), keep = terms.keep, smooth = terms.smooth;
  const auto q = [=, &terms](int64_t i, int64_t count) {
    return weights_at(terms.weight, i, count) * (keep * load_or_zero(target + i, count) + smooth);
  };
  const double sum = exponentials(C, x, top, grad), total = sum_mapped<Real>(C, q);
  const double weighted = sum_mapped<Real>(C, [=](int64_t i, int64_t count) {
    return product_or_zero<Real>(q(i, count), shifted_at(x, i, count, top));
  });
  if (grad) {
    const Real factor = static_cast<Real>(scale * total / sum), share = static_cast<Real>(scale);
    for (int64_t i = 0; i < C; i += kWidth<Real>) {
      const int64_t count = C - i < kWidth<Real> ? C - i : kWidth<Real>;
      store_some(grad, i, count, load_or_zero(grad + i, count) * factor - share * q(i, count));
    }
  }
  return total * log_of(sum) - weighted;
}

// The columns of one vector: q(c) gives what they are compared with at class c; columns that are not `live`
// get 0.
template <class Real, class Terms>
UNROLLED_INLINE Vec<Real> column_block(int64_t C, int64_t stride, int64_t count, const Real* x, Terms q,
                                       IntVec<Real> live, double scale, Real* grad) {
  Vec<Real> top = broadcast<Real>(-kInf<Real>);
  for (int64_t c = 0; c < C; ++c) top = max(top, load_or_zero(x + c * stride, count));
  Vec<Real> sum = {}, total = {}, weighted = {};
  for (int64_t begin = 0; begin < C; begin += kClassBlock) {
    const int64_t end = begin + kClassBlock < C ? begin + kClassBlock : C;
    Vec<Real> block_sum = {}, block_total = {}, block_weighted = {};
    for (int64_t c = begin; c < end; ++c) {
      const Vec<Real> shifted = load_or_zero(x + c * stride, count) - top, e = exp<Real>(shifted),
                      terms = q(c);
      block_sum += e;
      block_total += terms;
      block_weighted += product_or_zero<Real>(terms, shifted);
      store_some(grad, c * stride, count, e);
    }
    sum += block_sum;
    total += block_total;
    weighted += block_weighted;
  }
  if (grad) {
    const Vec<Real> factor = static_cast<Real>(scale) * total / sum;
    for (int64_t c = 0; c < C; ++c) {
      const Vec<Real> g = load_or_zero(grad + c * stride, count) * factor - static_cast<Real>(scale) * q(c);
      store_some(grad, c * stride, count, live ? g : Vec<Real>{});
    }
  }
  return live ? total * log<Real>(sum) - weighted : Vec<Real>{};
}

template <class Real>
void cross_entropy_columns(int64_t C, int64_t stride, int64_t columns, const Real* x, const int64_t* labels,
                           int64_t ignored, const CrossEntropyTerms<Real>& terms, double scale, Real* loss,
                           Real* grad) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t i = 0; i < columns; i += W) {
    const int64_t count = columns - i < W ? columns - i : W;
    IntVec<Real> label = {};
    for (int64_t lane = 0; lane < count; ++lane) {
      const int64_t at = labels[i + lane];
      label[lane] = static_cast<decltype(label[0] + 0)>(at == ignored ? -1 : at);
    }
    const auto q = [&](int64_t c) {
      const Vec<Real> hit =
          label == static_cast<decltype(label[0] + 0)>(c) ? broadcast<Real>(terms.keep) : Vec<Real>{};
      return (hit + terms.smooth) * (terms.weight ? terms.weight[c] : Real(1));
    };
    store_some(loss, i, count,
               column_block<Real>(C, stride, count, x + i, q, label >= 0, scale, grad ? grad + i : nullptr));
  }
}

template <class Real>
void cross_entropy_mixture_columns(int64_t C, int64_t stride, int64_t columns, const Real* x,
                                   const Real* target, const CrossEntropyTerms<Real>& terms, double scale,
                                   Real* loss, Real* grad) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t i = 0; i < columns; i += W) {
    const int64_t count = columns - i < W ? columns - i : W;
    const auto q = [&](int64_t c) {
      const Vec<Real> t = load_or_zero(target + c * stride + i, count);
      return (terms.keep * t + terms.smooth) * (terms.weight ? terms.weight[c] : Real(1));
    };
    store_some(
        loss, i, count,
        column_block<Real>(C, stride, count, x + i, q, ~IntVec<Real>{}, scale, grad ? grad + i : nullptr));
  }
}

template <class Real>
double squared_error(int64_t n, const Real* x, const Real* target, Real scale, Real* loss, Real* grad) {
  return sum_mapped<Real>(n, [=](int64_t i, int64_t count) {
    const Vec<Real> d = load_or_zero(x + i, count) - load_or_zero(target + i, count), square = d * d;
    store_some(loss, i, count, square);
    store_some<Real>(grad, i, count, (Real(2) * scale) * d);
    return square;
  });
}

template <class Real>
double divergence(int64_t n, const Real* x, const Real* target, bool log_target, Real scale, Real* loss,
                  Real* grad) {
  return sum_mapped<Real>(n, [=](int64_t i, int64_t count) {
    const Vec<Real> t = load_or_zero(target + i, count), v = load_or_zero(x + i, count);
    const Vec<Real> p = log_target ? exp<Real>(t) : t;
    const Vec<Real> ratio = (log_target ? t : log<Real>(t)) - v;
    const Vec<Real> y = ratio == Real(0) ? Vec<Real>{} : product_or_zero<Real>(p, ratio);
    store_some(loss, i, count, y);
    store_some<Real>(grad, i, count, -scale * p);
    return y;
  });
}

}  // namespace

template <class Real>
LossKernels<Real> loss_kernels() {
  return {cross_entropy_row<Real>,     cross_entropy_mixture_row<Real>,
          cross_entropy_columns<Real>, cross_entropy_mixture_columns<Real>,
          squared_error<Real>,         divergence<Real>};
}
template LossKernels<float> loss_kernels();
template LossKernels<double> loss_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
