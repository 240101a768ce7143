// exp, log, tanh and sigmoid on vectors. The bounds stated here are those that tests/test_activation.py holds
// them to.
#pragma once

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {

template <class Real>
struct MathConstants;

template <>
struct MathConstants<float> {
  static constexpr float kRound =
      12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, left in the low bits
  // ln 2 in two parts, the first with so few bits that n * kLn2Hi is exact (Cody and Waite).
  static constexpr float kLn2Hi = 0.693359375f, kLn2Lo = -2.12194440e-4f;
  static constexpr float kExpMin = -104.0f, kExpMax = 89.0f, kTanhMax = 10.0f;
  static constexpr float kMinNormal = 1.17549435e-38f, kSubnormalScale = 8388608.0f;
  static constexpr int32_t kMantissaBits = 23, kBias = 127, kScaleBits = 23;
  static constexpr int kExpTerms = 7, kLogTerms = 5;
};

template <>
struct MathConstants<double> {
  static constexpr double kRound = 6755399441055744.0;
  static constexpr double kLn2Hi = 6.93145751953125e-1, kLn2Lo = 1.42860682030941723212e-6;
  static constexpr double kExpMin = -746.0, kExpMax = 710.0, kTanhMax = 20.0;
  static constexpr double kMinNormal = 2.2250738585072014e-308, kSubnormalScale = 4503599627370496.0;
  static constexpr int64_t kMantissaBits = 52, kBias = 1023, kScaleBits = 52;
  static constexpr int kExpTerms = 13, kLogTerms = 11;
};

// 2^n for integers n within the normal range of exponents.
template <class Real>
UNROLLED_INLINE Vec<Real> power_of_two(IntVec<Real> n) {
  using M = MathConstants<Real>;
  return (Vec<Real>)((n + M::kBias) << M::kMantissaBits);
}

template <class Real>
struct ExpParts {
  IntVec<Real> n;
  Vec<Real> p;  // exp(x) = 2^n (1 + p)
};

template <class Real>
UNROLLED_INLINE ExpParts<Real> exp_parts(Vec<Real> x) {
  using M = MathConstants<Real>;
  constexpr Real kLog2E = Real(1.44269504088896340736);
  const Vec<Real> shifted = x * kLog2E + M::kRound;
  const Vec<Real> n = shifted - M::kRound;
  const Vec<Real> r = (x - n * M::kLn2Hi) - n * M::kLn2Lo;
  // Taylor's series of exp(r) - 1 on |r| <= ln(2)/2, from its last term.
  Real factor = 1;
  Real terms[M::kExpTerms + 1];
  for (int i = 1; i <= M::kExpTerms; ++i) {
    factor /= static_cast<Real>(i);
    terms[i] = factor;
  }
  Vec<Real> p = broadcast<Real>(terms[M::kExpTerms]);
#pragma GCC unroll 16
  for (int i = M::kExpTerms - 1; i >= 2; --i) p = p * r + terms[i];
  p = p * r * r + r;
  return {(IntVec<Real>)shifted - (IntVec<Real>)broadcast<Real>(M::kRound), p};
}

// exp; at most 2 ulp (float) and 4 ulp (double), subnormal results included; overflows to inf, underflows to
// 0.
template <class Real>
UNROLLED_INLINE Vec<Real> exp(Vec<Real> x) {
  using M = MathConstants<Real>;
  x = x > M::kExpMax ? broadcast<Real>(M::kExpMax) : x;
  x = x < M::kExpMin ? broadcast<Real>(M::kExpMin) : x;
  const ExpParts<Real> e = exp_parts<Real>(x);
  const IntVec<Real> half = e.n >> 1;  // two steps: 2^n alone may lie outside the range
  return (e.p + Real(1)) * power_of_two<Real>(half) * power_of_two<Real>(e.n - half);
}

template <class Real>
UNROLLED_INLINE Vec<Real> abs(Vec<Real> x) {
  return x < Real(0) ? -x : x;
}

// tanh; at most 4 ulp. From expm1, which keeps its accuracy near 0.
template <class Real>
UNROLLED_INLINE Vec<Real> tanh(Vec<Real> x) {
  using M = MathConstants<Real>;
  Vec<Real> a = abs<Real>(x);
  a = a > M::kTanhMax ? broadcast<Real>(M::kTanhMax) : a;
  const ExpParts<Real> e = exp_parts<Real>(a + a);
  const Vec<Real> scale = power_of_two<Real>(e.n);
  const Vec<Real> expm1 = e.p * scale + (scale - Real(1));
  const Vec<Real> y = expm1 / (expm1 + Real(2));
  return x < Real(0) ? -y : (x == Real(0) ? x : y);
}

// 1 / (1 + exp(-x)); at most 4 ulp, in the far tail too.
template <class Real>
UNROLLED_INLINE Vec<Real> sigmoid(Vec<Real> x) {
  const Vec<Real> e = exp<Real>(-abs<Real>(x));
  return (x < Real(0) ? e : broadcast<Real>(1)) / (e + Real(1));
}

// Natural logarithm; at most 4 ulp. log(0) = -inf, NaN below 0.
template <class Real>
UNROLLED_INLINE Vec<Real> log(Vec<Real> x) {
  using M = MathConstants<Real>;
  constexpr Real kInf = __builtin_huge_val(), kSqrt2 = Real(1.41421356237309504880);
  const auto subnormal = x < M::kMinNormal;
  const Vec<Real> scaled = subnormal ? x * M::kSubnormalScale : x;
  const IntVec<Real> bits = (IntVec<Real>)scaled;
  IntVec<Real> exponent = (bits >> M::kMantissaBits) - M::kBias;
  Vec<Real> m = (Vec<Real>)(bits - (exponent << M::kMantissaBits));
  const auto high = m > kSqrt2;
  m = high ? m * Real(0.5) : m;
  exponent -= high;  // a true lane is -1
  exponent -= subnormal & M::kScaleBits;
  const Vec<Real> e = __builtin_convertvector(exponent, Vec<Real>);
  // log m = 2 artanh(s) with s = (m - 1) / (m + 1), |s| <= 0.172.
  const Vec<Real> s = (m - Real(1)) / (m + Real(1)), z = s * s;
  Vec<Real> series = broadcast<Real>(Real(1) / Real(2 * M::kLogTerms + 1));
#pragma GCC unroll 16
  for (int i = M::kLogTerms - 1; i >= 1; --i) series = series * z + Real(1) / Real(2 * i + 1);
  const Vec<Real> y = e * M::kLn2Hi + (Real(2) * s + (Real(2) * s * z * series + e * M::kLn2Lo));
  Vec<Real> result = x == kInf ? x : y;
  result = x == Real(0) ? broadcast<Real>(-kInf) : result;
  return x >= Real(0) ? result : broadcast<Real>(Real(__builtin_nan("")));
}

}  // namespace unrolled::UNROLLED_LEVEL
