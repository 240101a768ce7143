#include "kernels/activation.h"

#include "kernels/math.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
void exp_forward(int64_t n, const Real* x, Real* y) {
  map(n, x, y, [](Vec<Real> v) { return exp<Real>(v); });
}

template <class Real>
void log_forward(int64_t n, const Real* x, Real* y) {
  map(n, x, y, [](Vec<Real> v) { return log<Real>(v); });
}

template <class Real>
void tanh_forward(int64_t n, const Real* x, Real* y) {
  map(n, x, y, [](Vec<Real> v) { return tanh<Real>(v); });
}

template <class Real>
void sigmoid_forward(int64_t n, const Real* x, Real* y) {
  map(n, x, y, [](Vec<Real> v) { return sigmoid<Real>(v); });
}

template <class Real>
void bias_relu_forward(int64_t n, const Real* x, Real bias, Real* y) {
  map(n, x, y, [bias](Vec<Real> v) {
    v += bias;
    return v <= Real(0) ? Vec<Real>{} : v;
  });
}

template <class Real>
double bias_relu_backward(int64_t n, const Real* grad_y, const Real* y, Real* grad_x) {
  map2(n, grad_y, y, grad_x, [](Vec<Real> g, Vec<Real> v) { return v > Real(0) ? g : Vec<Real>{}; });
  return sum_mapped<Real>(n, [grad_x](int64_t i, int64_t count) { return load_or_zero(grad_x + i, count); });
}

// sigmoid(x) and sigmoid(-x): 1 - sigmoid(x) would lose the digits of the smaller one.
template <class Real>
struct Sides {
  Vec<Real> below, above;

  explicit UNROLLED_INLINE Sides(Vec<Real> x) {
    const Vec<Real> e = exp<Real>(-abs<Real>(x)), small = e / (e + Real(1)), large = Real(1) / (e + Real(1));
    below = x < Real(0) ? small : large;
    above = x < Real(0) ? large : small;
  }
};

// The curves: each is a struct with value(x, a, b) and the derivative slope(from, a, b).

template <class Real>
struct Tanh {
  static UNROLLED_INLINE Vec<Real> value(Vec<Real> x, Real, Real) { return tanh<Real>(x); }
  static UNROLLED_INLINE Vec<Real> slope(Vec<Real> y, Real, Real) { return Real(1) - y * y; }
};

template <class Real>
struct Sigmoid {
  static UNROLLED_INLINE Vec<Real> value(Vec<Real> x, Real, Real) { return sigmoid<Real>(x); }
  static UNROLLED_INLINE Vec<Real> slope(Vec<Real> y, Real, Real) { return y * (Real(1) - y); }
};

template <class Real>
struct LeakyRelu {
  static UNROLLED_INLINE Vec<Real> value(Vec<Real> x, Real a, Real) { return x > Real(0) ? x : x * a; }
  static UNROLLED_INLINE Vec<Real> slope(Vec<Real> x, Real a, Real) {
    return x > Real(0) ? broadcast<Real>(1) : broadcast<Real>(a);
  }
};

template <class Real>
struct Elu {
  static UNROLLED_INLINE Vec<Real> value(Vec<Real> x, Real a, Real) {
    return x > Real(0) ? x : a * expm1_below_zero<Real>(x);
  }
  static UNROLLED_INLINE Vec<Real> slope(Vec<Real> x, Real a, Real) {
    return x > Real(0) ? broadcast<Real>(1) : a * exp<Real>(x);
  }
};

// x P(X < x), of a standard normal X. Below 0 from the tail itself, which keeps its digits.
template <class Real>
struct Gelu {
  static UNROLLED_INLINE Vec<Real> value(Vec<Real> x, Real, Real) {
    const Vec<Real> tail = normal_tail<Real>(abs<Real>(x)).tail;
    return x * (x < Real(0) ? tail : Real(1) - tail);
  }
  static UNROLLED_INLINE Vec<Real> slope(Vec<Real> x, Real, Real) {
    const NormalTail<Real> n = normal_tail<Real>(abs<Real>(x));
    return (x < Real(0) ? n.tail : Real(1) - n.tail) + x * n.density;
  }
};

// x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x (1 + tanh(u)) / 2 (Hendrycks and Gimpel
// 2016) without the cancellation below 0.
template <class Real>
struct GeluTanh {
  static constexpr Real kLinear = Real(1.59576912160573071176), kCubic = kLinear * Real(0.044715);
  static UNROLLED_INLINE Vec<Real> value(Vec<Real> x, Real, Real) {
    return x * sigmoid<Real>(x * (kLinear + kCubic * x * x));
  }
  static UNROLLED_INLINE Vec<Real> slope(Vec<Real> x, Real, Real) {
    // Beyond it the sigmoid is 0 or 1, and the cube would overflow.
    constexpr Real kFlat = 40;
    x = x > kFlat ? broadcast<Real>(kFlat) : x;
    x = x < -kFlat ? broadcast<Real>(-kFlat) : x;
    const Sides<Real> s(x * (kLinear + kCubic * x * x));
    return s.below + x * s.below * s.above * (kLinear + Real(3) * kCubic * x * x);
  }
};

template <class Real>
struct Silu {
  static UNROLLED_INLINE Vec<Real> value(Vec<Real> x, Real, Real) { return x * sigmoid<Real>(x); }
  static UNROLLED_INLINE Vec<Real> slope(Vec<Real> x, Real, Real) {
    const Sides<Real> s(x);
    return s.below * (Real(1) + x * s.above);
  }
};

// log(1 + exp(beta x)) / beta
template <class Real>
struct Softplus {
  static UNROLLED_INLINE Vec<Real> value(Vec<Real> x, Real beta, Real threshold) {
    const Vec<Real> z = x * beta, above = z > Real(0) ? z : Vec<Real>{};
    const Vec<Real> y = (above + log1p_of_fraction<Real>(exp<Real>(-abs<Real>(z)))) / beta;
    return z > threshold ? x : y;
  }
  static UNROLLED_INLINE Vec<Real> slope(Vec<Real> x, Real beta, Real threshold) {
    const Vec<Real> z = x * beta;
    return z > threshold ? broadcast<Real>(1) : sigmoid<Real>(z);
  }
};

template <template <class> class Of, class Real>
Curve<Real> curve() {
  return {[](int64_t n, const Real* x, Real a, Real b, Real* y) {
            map(n, x, y, [a, b](Vec<Real> v) { return Of<Real>::value(v, a, b); });
          },
          [](int64_t n, const Real* grad_y, const Real* from, Real a, Real b, Real* grad_x) {
            map2(n, grad_y, from, grad_x,
                 [a, b](Vec<Real> g, Vec<Real> v) { return g * Of<Real>::slope(v, a, b); });
          }};
}

}  // namespace

template <class Real>
ActivationKernels<Real> activation_kernels() {
  return {exp_forward<Real>,        log_forward<Real>,        tanh_forward<Real>,  sigmoid_forward<Real>,
          bias_relu_forward<Real>,  bias_relu_backward<Real>, curve<Tanh, Real>(), curve<Sigmoid, Real>(),
          curve<LeakyRelu, Real>(), curve<Elu, Real>(),       curve<Gelu, Real>(), curve<GeluTanh, Real>(),
          curve<Silu, Real>(),      curve<Softplus, Real>()};
}
template ActivationKernels<float> activation_kernels();
template ActivationKernels<double> activation_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
