// exp, log, tanh, sigmoid and the normal distribution on vectors. The bounds stated here are those that
// tests/test_activation.py and tests/test_curves.py hold them to.
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
  static constexpr float kExpm1Min = -20.0f, kTailMax = 14.5f;
  static constexpr int32_t kHeadMask = ~0xfff;  // leaves 12 bits of the mantissa, whose square is exact
  // (1 + kTailSlope x) exp(x^2 / 2) P(X > x) as a polynomial in t = (x - 4.5) / (x + 4.5), lowest power
  // first.
  static constexpr int kTailTerms = 11;
  static constexpr float kTail[kTailTerms] = {5.630871973e-1f,  -7.888142711e-2f, -7.037546879e-4f,
                                              4.340834627e-2f,  -4.833242006e-2f, 3.241679615e-2f,
                                              -1.43526246e-2f,  3.538012636e-3f,  2.943425875e-4f,
                                              -5.559102407e-4f, -6.692036516e-5f};
};

template <>
struct MathConstants<double> {
  static constexpr double kRound = 6755399441055744.0;
  static constexpr double kLn2Hi = 6.93145751953125e-1, kLn2Lo = 1.42860682030941723212e-6;
  static constexpr double kExpMin = -746.0, kExpMax = 710.0, kTanhMax = 20.0;
  static constexpr double kMinNormal = 2.2250738585072014e-308, kSubnormalScale = 4503599627370496.0;
  static constexpr int64_t kMantissaBits = 52, kBias = 1023, kScaleBits = 52;
  static constexpr int kExpTerms = 13, kLogTerms = 11;
  static constexpr double kExpm1Min = -40.0, kTailMax = 39.0;
  static constexpr int64_t kHeadMask = ~0x7ffffff;  // leaves 26 bits
  static constexpr int kTailTerms = 23;
  static constexpr double kTail[kTailTerms] = {
      5.6308719810237188e-1,  -7.8881388477690316e-2, -7.0383922470883059e-4, 4.3406825431363649e-2,
      -4.8331696121201203e-2, 3.2433660741919755e-2,  -1.4346177733130899e-2, 3.4676983611456346e-3,
      2.2451837780201768e-4,  -4.6843278364392105e-4, 8.5951212505838312e-5,  4.6008683609939438e-5,
      -1.8716515839472421e-5, -4.9868862974604621e-6, 3.2238974783296568e-6,  7.3771078525693036e-7,
      -5.3399416938296962e-7, -1.5140597801287601e-7, 7.9031137521764453e-8,  3.3667064320391954e-8,
      -6.4251630096916059e-9, -5.0571767079495496e-9, -6.2198064477144139e-10};
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

// exp(x + low), `low` small beside the rounding step ln(2) of x.
template <class Real, bool kHasLow>
UNROLLED_INLINE ExpParts<Real> exp_parts_of_sum(Vec<Real> x, Vec<Real> low) {
  using M = MathConstants<Real>;
  constexpr Real kLog2E = Real(1.44269504088896340736);
  const Vec<Real> shifted = (kHasLow ? x + low : x) * kLog2E + M::kRound;
  const Vec<Real> n = shifted - M::kRound;
  Vec<Real> r = (x - n * M::kLn2Hi) - n * M::kLn2Lo;
  if constexpr (kHasLow) r += low;
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

template <class Real>
UNROLLED_INLINE ExpParts<Real> exp_parts(Vec<Real> x) {
  return exp_parts_of_sum<Real, false>(x, Vec<Real>{});
}

// (1 + p) 2^n in two steps: 2^n alone may lie outside the range.
template <class Real>
UNROLLED_INLINE Vec<Real> times_power(const ExpParts<Real>& e) {
  const IntVec<Real> half = e.n >> 1;
  return (e.p + Real(1)) * power_of_two<Real>(half) * power_of_two<Real>(e.n - half);
}

// exp; at most 2 ulp (float) and 4 ulp (double), subnormal results included; overflows to inf, underflows to
// 0.
template <class Real>
UNROLLED_INLINE Vec<Real> exp(Vec<Real> x) {
  using M = MathConstants<Real>;
  x = x > M::kExpMax ? broadcast<Real>(M::kExpMax) : x;
  x = x < M::kExpMin ? broadcast<Real>(M::kExpMin) : x;
  return times_power<Real>(exp_parts<Real>(x));
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

// 2 artanh(s) for |s| <= 0.172, its first term without rounding: {2 s, the rest}.
template <class Real>
struct TwoArtanh {
  Vec<Real> head, rest;
};

template <class Real>
UNROLLED_INLINE TwoArtanh<Real> two_artanh(Vec<Real> s) {
  using M = MathConstants<Real>;
  const Vec<Real> z = s * s;
  Vec<Real> series = broadcast<Real>(Real(1) / Real(2 * M::kLogTerms + 1));
#pragma GCC unroll 16
  for (int i = M::kLogTerms - 1; i >= 1; --i) series = series * z + Real(1) / Real(2 * i + 1);
  return {Real(2) * s, Real(2) * s * z * series};
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
  const TwoArtanh<Real> a = two_artanh<Real>((m - Real(1)) / (m + Real(1)));
  const Vec<Real> y = e * M::kLn2Hi + (a.head + (a.rest + e * M::kLn2Lo));
  Vec<Real> result = x == kInf ? x : y;
  result = x == Real(0) ? broadcast<Real>(-kInf) : result;
  return x >= Real(0) ? result : broadcast<Real>(Real(__builtin_nan("")));
}

// log(1 + e) for 0 <= e <= 1; at most 3 ulp.
template <class Real>
UNROLLED_INLINE Vec<Real> log1p_of_fraction(Vec<Real> e) {
  using M = MathConstants<Real>;
  const auto high = e > Real(0.41421356237309504880);  // 1 + e > sqrt(2): log 2 + log((1 + e) / 2)
  const Vec<Real> top = high ? e - Real(1) : e, bottom = e + (high ? broadcast<Real>(3) : broadcast<Real>(2));
  const TwoArtanh<Real> a = two_artanh<Real>(top / bottom);
  const Vec<Real> hi = high ? broadcast<Real>(M::kLn2Hi) : Vec<Real>{};
  const Vec<Real> lo = high ? broadcast<Real>(M::kLn2Lo) : Vec<Real>{};
  return hi + (a.head + (a.rest + lo));
}

// exp(x) - 1 for x <= 0; at most 3 ulp.
template <class Real>
UNROLLED_INLINE Vec<Real> expm1_below_zero(Vec<Real> x) {
  using M = MathConstants<Real>;
  const ExpParts<Real> e = exp_parts<Real>(x < M::kExpm1Min ? broadcast<Real>(M::kExpm1Min) : x);
  const Vec<Real> scale = power_of_two<Real>(e.n);
  return e.p * scale + (scale - Real(1));
}

// Of the standard normal distribution.
template <class Real>
struct NormalTail {
  Vec<Real> tail;     // P(X > x), at most 7 ulp; 0 beyond the smallest number
  Vec<Real> density;  // exp(-x^2 / 2) / sqrt(2 pi)
};

// For x >= 0. The tail is exp(-x^2 / 2) times a function that hardly varies once it is multiplied with
// 1 + kTailSlope x (Shepherd and Laframboise 1981, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in
// 0 <= x < infinity", for erfc); its polynomial is a Chebyshev expansion of our own, good to 1e-8 and 5e-17.
template <class Real>
UNROLLED_INLINE NormalTail<Real> normal_tail(Vec<Real> x) {
  using M = MathConstants<Real>;
  constexpr Real kTailSlope = Real(1.25331413731550025121), kCentre = Real(4.5);  // sqrt(2 pi) / 2
  constexpr Real kDensity = Real(0.39894228040143267794);                         // 1 / sqrt(2 pi)
  x = x > M::kTailMax ? broadcast<Real>(M::kTailMax) : x;
  // x^2 / 2 in two parts, the first without rounding: x^2 roundings would be that many in the result.
  const Vec<Real> head = (Vec<Real>)((IntVec<Real>)x & M::kHeadMask);
  const Vec<Real> low = (x - head) * (x + head) * Real(-0.5);
  const Vec<Real> e = times_power<Real>(exp_parts_of_sum<Real, true>(head * head * Real(-0.5), low));
  const Vec<Real> t = (x - kCentre) / (x + kCentre);
  Vec<Real> p = broadcast<Real>(M::kTail[M::kTailTerms - 1]);
#pragma GCC unroll 32
  for (int i = M::kTailTerms - 2; i >= 0; --i) p = p * t + M::kTail[i];
  return {e * p / (x * kTailSlope + Real(1)), e * kDensity};
}

}  // namespace unrolled::UNROLLED_LEVEL
