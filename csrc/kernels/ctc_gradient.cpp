#include "kernels/ctc_gradient.h"

#include "kernels/ctc_emissions.h"
#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

typedef Vec<float> V;

constexpr int64_t W = kWidth<float>;
constexpr int64_t kSteps = kCtcFrames / W;  // vectors of frames in a row of acc
static_assert(kCtcFrames % W == 0);

// A zero tile is common: of a long target, few symbols are near at any time.
bool all_below(const float* posterior, int64_t stride, float bound) {
  V most = {};
  for (int64_t t = 0; t < kCtcFrames; ++t) most = max(most, load(posterior + t * stride));
  return max_lanes<float>(most) < bound;
}

void scatter(int64_t count, const float* posterior, int64_t stride, const int32_t* slot, float* acc) {
  constexpr float kNothing = 1e-13f;
  for (int64_t i = 0; i < count; i += W) {
    if (all_below(posterior + i, stride, kNothing)) continue;
    float turned[W * kCtcFrames] __attribute__((aligned(64)));
    for (int64_t step = 0; step < kSteps; ++step) {
      const float* from = posterior + step * W * stride + i;
      transpose_block<float>([=](int k) { return load(from + k * stride); }, turned + step * W, kCtcFrames);
    }
    const int64_t end = count - i < W ? count - i : W;
    for (int64_t k = 0; k < end; ++k) {
      float* to = acc + slot[i + k] * kCtcFrames;
#pragma GCC unroll 4
      for (int64_t step = 0; step < kSteps; ++step) {
        store(to + step * W, load(to + step * W) + load(turned + k * kCtcFrames + step * W));
      }
    }
  }
}

void scatter_blank(const float* parts, float* acc) {
  for (int64_t step = 0; step < kSteps; ++step) {
    float turned[W * W] __attribute__((aligned(64)));
    transpose_block<float>([=](int k) { return load(parts + (step * W + k) * W); }, turned, W);
    V sum = load(acc + step * W);
    for (int64_t k = 0; k < W; ++k) sum += load(turned + k * W);
    store(acc + step * W, sum);
  }
}

void normalizers(int64_t slots, const float* acc, float* inverse) {
  for (int64_t step = 0; step < kSteps; ++step) {
    V sum[4] = {};
    int64_t i = 0;
    for (; i + 4 <= slots; i += 4) {
#pragma GCC unroll 4
      for (int64_t k = 0; k < 4; ++k) sum[k] += load(acc + (i + k) * kCtcFrames + step * W);
    }
    for (; i < slots; ++i) sum[0] += load(acc + i * kCtcFrames + step * W);
    const V total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    store(inverse + step * W, total > 0.0f ? 1.0f / total : V{});
  }
}

void write_rows(int64_t n, int64_t C, const float* acc, const float* softmax, const float* posterior,
                float* rows) {
  float turned[W * W] __attribute__((aligned(64)));
  for (int64_t step = 0; step * W < n; ++step) {
    const int64_t first = step * W, frames = n - first < W ? n - first : W;
    for (int64_t c = 0; c < C; c += W) {
      const float* from = acc + c * kCtcFrames + first;
      transpose_block<float>([=](int k) { return load(from + k * kCtcFrames); }, turned, W);
      const int64_t count = C - c < W ? C - c : W;
      for (int64_t k = 0; k < frames; ++k) {
        float* row = rows + (first + k) * C + c;
        V grad = load(turned + k * W) * -posterior[first + k];
        if (softmax) grad += load_or_zero<float>(row, count) * softmax[first + k];
        store_some(row, count, grad);
      }
    }
  }
}

}  // namespace

CtcGradientKernels ctc_gradient_kernels() { return {scatter, scatter_blank, normalizers, write_rows}; }

}  // namespace unrolled::UNROLLED_LEVEL
