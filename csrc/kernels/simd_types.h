// Vectors of the width this ISA level has, on the vector extensions of GCC and Clang.
#pragma once

#include <cstdint>
#include <cstring>

#ifndef UNROLLED_LEVEL
#error "kernels are compiled once per ISA level: UNROLLED_LEVEL must name it"
#endif

#define UNROLLED_INLINE inline __attribute__((always_inline))

namespace unrolled::UNROLLED_LEVEL {

template <class Real>
struct Lanes;

template <>
struct Lanes<float> {
  typedef float type __attribute__((vector_size(UNROLLED_VECTOR_BYTES)));
  typedef int32_t integer __attribute__((vector_size(UNROLLED_VECTOR_BYTES)));
};

template <>
struct Lanes<double> {
  typedef double type __attribute__((vector_size(UNROLLED_VECTOR_BYTES)));
  typedef int64_t integer __attribute__((vector_size(UNROLLED_VECTOR_BYTES)));
};

template <class Real>
using Vec = typename Lanes<Real>::type;
// Comparisons give an integer vector: all ones where true.
template <class Real>
using IntVec = typename Lanes<Real>::integer;

template <class Real>
inline constexpr int64_t kWidth = UNROLLED_VECTOR_BYTES / static_cast<int64_t>(sizeof(Real));

template <class Real>
UNROLLED_INLINE Vec<Real> load(const Real* p) {
  Vec<Real> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class Real>
UNROLLED_INLINE void store(Real* p, Vec<Real> v) {
  std::memcpy(p, &v, sizeof v);
}

template <class Real>
UNROLLED_INLINE Vec<Real> broadcast(Real x) {
  return x - Vec<Real>{};  // x - 0 is x for every x, -0 too
}

}  // namespace unrolled::UNROLLED_LEVEL
