// The one-dimensional transforms of F(m, 3): Toom and Cook's products of polynomials at n = m + 2 points, the
// last one infinity. With M(x) the product of (x - p), the input's row of a point p holds the coefficients of
// M(x) / (x - p), the kernel's (1, p, p^2) / M'(p), the output's column (1, p, .., p^(m-1)).
// A narrow transform makes two outputs only, at the points that both sizes share, for tiles at the border.
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016); transposed for the weight
// gradient.
#pragma once

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {

template <class Real, int m>
struct Points;

// Points 0, 1, -1, infinity.
template <class Real>
struct Points<Real, 2> {
  using V = Vec<Real>;
  static constexpr int m = 2, n = 4;
  static constexpr bool narrow_has(int) { return true; }

  static UNROLLED_INLINE void input(const V (&d)[4], V (&v)[4]) {
    v[0] = d[0] - d[2];
    v[1] = d[1] + d[2];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
  }
  static UNROLLED_INLINE void narrow_input(const V (&d)[4], V (&v)[4]) { input(d, v); }
  static UNROLLED_INLINE void output(const V (&p)[4], V (&y)[2]) {
    y[0] = p[0] + (p[1] + p[2]);
    y[1] = (p[1] - p[2]) + p[3];
  }
  static UNROLLED_INLINE void narrow_output(const V (&p)[4], V (&y)[2]) { output(p, y); }
  static UNROLLED_INLINE void output_transposed(const V (&y)[2], V (&z)[4]) {
    z[0] = y[0];
    z[1] = y[0] + y[1];
    z[2] = y[0] - y[1];
    z[3] = y[1];
  }
  static UNROLLED_INLINE void narrow_output_transposed(const V (&y)[2], V (&z)[4]) {
    output_transposed(y, z);
  }
  static UNROLLED_INLINE void kernel(const V (&w)[3], V (&u)[4]) {
    const V even = Real(0.5) * (w[0] + w[2]), odd = Real(0.5) * w[1];
    u[0] = w[0];
    u[1] = even + odd;
    u[2] = even - odd;
    u[3] = w[2];
  }
  static UNROLLED_INLINE void kernel_transposed(const V (&g)[4], V (&w)[3]) {
    const V even = Real(0.5) * (g[1] + g[2]);
    w[0] = g[0] + even;
    w[1] = Real(0.5) * (g[1] - g[2]);
    w[2] = even + g[3];
  }
};

// Points 0, a, -a, b, -b, infinity with a = 1 / sqrt 2, b = sqrt 2: half the error of 0, 1, -1, 2, -2, since
// their powers differ less; and a b = 1 spares a product.
template <class Real>
struct Points<Real, 4> {
  using V = Vec<Real>;
  static constexpr int m = 4, n = 6;
  // F(2, 3) at 0, a, -a, infinity: its kernel differs by factors alone, which narrow_input takes over.
  static constexpr bool narrow_has(int point) { return point != 3 && point != 4; }
  static constexpr Real a = Real(0.70710678118654752440L), b = Real(1.41421356237309504880L);

  static UNROLLED_INLINE void input(const V (&d)[6], V (&v)[6]) {
    const V even_a = d[4] - Real(2) * d[2], odd_a = a * (d[3] - Real(2) * d[1]);
    const V even_b = d[4] - Real(0.5) * d[2], odd_b = b * (d[3] - Real(0.5) * d[1]);
    v[0] = (d[0] + d[4]) - Real(2.5) * d[2];
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = (d[1] + d[5]) - Real(2.5) * d[3];
  }
  static UNROLLED_INLINE void narrow_input(const V (&d)[6], V (&v)[6]) {
    v[0] = d[0] - Real(2) * d[2];
    v[1] = Real(-1.5) * (d[2] + a * d[1]);
    v[2] = Real(-1.5) * (d[2] - a * d[1]);
    v[3] = v[4] = V{};
    v[5] = d[3] - Real(0.5) * d[1];
  }
  static UNROLLED_INLINE void output(const V (&p)[6], V (&y)[4]) {
    const V even_a = p[1] + p[2], odd_a = a * (p[1] - p[2]);
    const V even_b = p[3] + p[4], odd_b = b * (p[3] - p[4]);
    y[0] = p[0] + (even_a + even_b);
    y[1] = odd_a + odd_b;
    y[2] = Real(0.5) * even_a + Real(2) * even_b;
    y[3] = (Real(0.5) * odd_a + Real(2) * odd_b) + p[5];
  }
  static UNROLLED_INLINE void narrow_output(const V (&p)[6], V (&y)[4]) {
    y[0] = p[0] + (p[1] + p[2]);
    y[1] = a * (p[1] - p[2]) + p[5];
    y[2] = y[3] = V{};
  }
  static UNROLLED_INLINE void output_transposed(const V (&y)[4], V (&z)[6]) {
    const V even_a = y[0] + Real(0.5) * y[2], odd_a = a * (y[1] + Real(0.5) * y[3]);
    const V even_b = y[0] + Real(2) * y[2], odd_b = b * (y[1] + Real(2) * y[3]);
    z[0] = y[0];
    z[1] = even_a + odd_a;
    z[2] = even_a - odd_a;
    z[3] = even_b + odd_b;
    z[4] = even_b - odd_b;
    z[5] = y[3];
  }
  static UNROLLED_INLINE void narrow_output_transposed(const V (&y)[4], V (&z)[6]) {
    z[0] = y[0];
    z[1] = y[0] + a * y[1];
    z[2] = y[0] - a * y[1];
    z[3] = z[4] = V{};
    z[5] = y[1];
  }
  static constexpr Real na = Real(-1) / Real(1.5L), nb = Real(1) / Real(6);  // 1 / M'(p)
  static UNROLLED_INLINE void kernel(const V (&w)[3], V (&u)[6]) {
    const V even_a = na * (w[0] + Real(0.5) * w[2]), odd_a = (na * a) * w[1];
    const V even_b = nb * (w[0] + Real(2) * w[2]), odd_b = (nb * b) * w[1];
    u[0] = w[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = w[2];
  }
  static UNROLLED_INLINE void kernel_transposed(const V (&g)[6], V (&w)[3]) {
    const V even_a = na * (g[1] + g[2]), odd_a = (na * a) * (g[1] - g[2]);
    const V even_b = nb * (g[3] + g[4]), odd_b = (nb * b) * (g[3] - g[4]);
    w[0] = g[0] + (even_a + even_b);
    w[1] = odd_a + odd_b;
    w[2] = (Real(0.5) * even_a + Real(2) * even_b) + g[5];
  }
};

}  // namespace unrolled::UNROLLED_LEVEL
