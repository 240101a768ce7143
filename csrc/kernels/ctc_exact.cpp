#include "kernels/ctc_exact.h"

#include "kernels/math.h"
#include "kernels/simd_permute.h"
#include "kernels/simd_scale.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

typedef Vec<float> V;

constexpr int64_t W = kWidth<float>;
constexpr float kInf = static_cast<float>(__builtin_huge_val());

// Mantissas grow to at most 2^10 in so many frames, and any power of two may stand between two of them.
constexpr int64_t kFramesPerSplit = 4;

struct Number {
  V m, n;  // m 2^n
};

UNROLLED_INLINE Number load_number(const float* p, int64_t width) { return {load(p), load(p + width)}; }
UNROLLED_INLINE void store_number(float* p, int64_t width, Number x) {
  store(p, x.m);
  store(p + width, x.n);
}

UNROLLED_INLINE Number zero() { return {broadcast(1.0f), broadcast(kCtcZeroPower)}; }

UNROLLED_INLINE Number add(Number a, Number b) {
  const V n = max(a.n, b.n);
  return {scale_by_power(a.m, a.n - n) + scale_by_power(b.m, b.n - n), n};
}

UNROLLED_INLINE Number add(Number a, Number b, Number c) {
  const V n = max(max(a.n, b.n), c.n);
  return {scale_by_power(a.m, a.n - n) + scale_by_power(b.m, b.n - n) + scale_by_power(c.m, c.n - n), n};
}

UNROLLED_INLINE Number multiply(Number a, Number b) { return {a.m * b.m, a.n + b.n}; }

UNROLLED_INLINE Number split(Number x) {
  V m, n;
  split_power(x.m, m, n);
  return {m, x.n + n};
}

UNROLLED_INLINE Number weaken(Number x, V power) { return {x.m, x.n + power}; }

float emissions(int64_t n, int64_t width, const float* scores, float* to) {
  V largest = {};
  bool number = true;
  for (int64_t t = 0; t < n; ++t, scores += width, to += 2 * width) {
    for (int64_t i = 0; i < width; i += W) {
      const V x = load(scores + i);
      number &= !has_nan<float>(x);
      largest = max(largest, x == -kInf ? V{} : abs<float>(x));
      const auto missing = x < -kCtcLargestScore;
      const ExpParts<float> e = exp_parts<float>(missing ? V{} : x);
      const V power = __builtin_convertvector(e.n, V);
      store_number(to + i, width, {e.p + 1.0f, missing ? broadcast(kCtcZeroPower) : power});
    }
  }
  return number ? max_lanes<float>(largest) : kInf;
}

template <bool kSplit>
UNROLLED_INLINE void forward_frame(int64_t width, const float* emission, Number blank, const float* skip,
                                   const float* from, float* to) {
  Number before = zero();
  for (int64_t i = 0; i < width; i += W) {
    const Number label = load_number(from + i, width), gap = load_number(from + 2 * width + i, width);
    const Number lower = {lanes_before(before.m, label.m), lanes_before(before.n, label.n)};
    before = label;
    Number new_gap = multiply(add(gap, lower), blank);
    Number new_label =
        multiply(add(label, gap, weaken(lower, load(skip + i))), load_number(emission + i, width));
    if constexpr (kSplit) {
      new_gap = split(new_gap);
      new_label = split(new_label);
    }
    store_number(to + i, width, new_label);
    store_number(to + 2 * width + i, width, new_gap);
  }
}

void forward(int64_t first, int64_t n, int64_t width, const float* emissions, const float* blank,
             const float* skip, float* state, float* rows) {
  const float* from = state;
  for (int64_t t = 0; t < n; ++t, emissions += 2 * width) {
    const Number gap = {broadcast(blank[t]), broadcast(blank[n + t])};
    float* to = rows ? rows + t * 4 * width : state;
    if ((first + t) % kFramesPerSplit == kFramesPerSplit - 1) {
      forward_frame<true>(width, emissions, gap, skip, from, to);
    } else {
      forward_frame<false>(width, emissions, gap, skip, from, to);
    }
    from = to;
  }
  if (rows) std::memcpy(state, from, static_cast<std::size_t>(4 * width) * sizeof(float));
}

UNROLLED_INLINE V posterior_of(Number alpha, Number beta, float inverse_mantissa, float z_power) {
  return scale_by_power(alpha.m * beta.m * inverse_mantissa, alpha.n + beta.n - z_power);
}

template <bool kSplit>
UNROLLED_INLINE V backward_frame(int64_t width, const float* emission, Number blank, const float* skip,
                                 const float* row, float inverse_mantissa, float z_power, float* state,
                                 float* posterior) {
  Number after = zero();  // what a label hands to the one below: by the blank between them, or directly
  V blank_posterior = {};
  for (int64_t i = width - W; i >= 0; i -= W) {
    const Number label = load_number(state + i, width), gap = load_number(state + 2 * width + i, width);
    const Number handed = add(gap, weaken(label, load(skip + i)));
    const Number upper = {lanes_after(handed.m, after.m), lanes_after(handed.n, after.n)};
    after = handed;
    const Number beta_label = add(label, upper), beta_gap = add(gap, label);
    const Number alpha_label = load_number(row + i, width),
                 alpha_gap = load_number(row + 2 * width + i, width);
    store(posterior + i, posterior_of(alpha_label, beta_label, inverse_mantissa, z_power));
    blank_posterior += posterior_of(alpha_gap, beta_gap, inverse_mantissa, z_power);
    Number new_label = multiply(beta_label, load_number(emission + i, width));
    Number new_gap = multiply(beta_gap, blank);
    if constexpr (kSplit) {
      new_label = split(new_label);
      new_gap = split(new_gap);
    }
    store_number(state + i, width, new_label);
    store_number(state + 2 * width + i, width, new_gap);
  }
  return blank_posterior;
}

void backward(int64_t first, int64_t n, int64_t width, const float* emissions, const float* blank,
              const float* skip, const float* rows, float inverse_mantissa, float z_power, float* state,
              float* posterior, float* blank_posterior) {
  for (int64_t t = n - 1; t >= 0; --t) {
    const Number gap = {broadcast(blank[t]), broadcast(blank[n + t])};
    const float *emission = emissions + t * 2 * width, *row = rows + t * 4 * width;
    float* to = posterior + t * width;
    const bool now = (first + t) % kFramesPerSplit == 0;
    const V sum =
        now ? backward_frame<true>(width, emission, gap, skip, row, inverse_mantissa, z_power, state, to)
            : backward_frame<false>(width, emission, gap, skip, row, inverse_mantissa, z_power, state, to);
    store(blank_posterior + t * W, sum);
  }
}

}  // namespace

CtcExactKernels ctc_exact_kernels() { return {emissions, forward, backward}; }

}  // namespace unrolled::UNROLLED_LEVEL
