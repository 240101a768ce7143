#include "ops/norm.h"

#include <algorithm>
#include <cmath>

#include "dispatch.h"
#include "memory.h"
#include "parallel.h"

namespace unrolled {
namespace {

// Runs of a channel shorter than this are worked on across channels instead, a column for each of their
// places.
constexpr int64_t kShortestRun = 64;
// Columns of one task.
constexpr int64_t kColumns = 256;
// Elements whose mean and deviations are taken together: they stay in the nearest cache.
constexpr int64_t kChunk = 2048;

// 0 for a constant channel without eps: it stays at its shift.
template <class Real>
double inverse_deviation(const BatchNormShape& s, Real var) {
  const double raised = static_cast<double>(var) + s.eps;
  return raised == 0 ? 0 : 1 / std::sqrt(raised);
}

// Mean and sum of squared deviations of values that come in parts (Chan, Golub and LeVeque 1979).
struct Moments {
  double count = 0, mean = 0, squares = 0;

  // A part by the sums of x - center and (x - center)^2. The center should be nearly its mean; that its mean
  // follows from deviations keeps the digits that a sum of large values loses.
  void add(double part_count, double center, double deviation, double part_squares) {
    const double both = count + part_count, shift = center + deviation / part_count - mean;
    squares += std::max(part_squares - deviation * deviation / part_count, 0.0);
    squares += shift * shift * count * part_count / both;
    mean += shift * part_count / both;
    count = both;
  }
};

template <class Real>
Moments run_moments(const BatchNormShape& s, int64_t c, const Real* x) {
  const NormKernels<Real>& kernel = kernels<Real>().norm;
  Moments moments;
  for (int64_t n = 0; n < s.N; ++n) {
    const Real* run = x + (n * s.C + c) * s.inner;
    for (int64_t begin = 0; begin < s.inner; begin += kChunk) {
      const int64_t size = std::min(kChunk, s.inner - begin);
      const double count = static_cast<double>(size);
      const Real center = static_cast<Real>(kernel.sum(size, run + begin) / count);
      double sums[2];
      kernel.deviation_sums(size, run + begin, center, sums);
      moments.add(count, static_cast<double>(center), sums[0], sums[1]);
    }
  }
  return moments;
}

// What one channel's values are mapped with.
template <class Real>
struct Affine {
  Real mean, scale, shift;

  Affine(const BatchNormShape& s, int64_t c, const Real* means, const Real* vars, const Real* weight,
         const Real* bias)
      : mean(means[c]),
        scale(
            static_cast<Real>(inverse_deviation(s, vars[c]) * (weight ? static_cast<double>(weight[c]) : 1))),
        shift(bias ? bias[c] : Real(0)) {}
};

// What one channel's gradients are mapped with, from the sums over the batch of grad_y and of
// grad_y (x - mean).
template <class Real>
struct AffineBackward {
  Real scale, mean_grad = 0, slope = 0;

  AffineBackward(const BatchNormShape& s, bool training, Real var, double weight, double sum, double product)
      : scale(static_cast<Real>(inverse_deviation(s, var) * weight)) {
    if (!training) return;
    const double count = static_cast<double>(s.N * s.inner), inverse = inverse_deviation(s, var);
    mean_grad = static_cast<Real>(sum / count);
    slope = static_cast<Real>(product * inverse * inverse / count);
  }
};

// The columns of the channels [begin, end): their number, their first one, and scratch for each.
template <class Real>
struct ColumnBlock {
  int64_t begin, end, inner, first, count;
  Buffer<double> sums;
  Buffer<Real> scratch;

  ColumnBlock(const BatchNormShape& s, int64_t begin_, int64_t end_)
      : begin(begin_),
        end(end_),
        inner(s.inner),
        first(begin_ * s.inner),
        count((end_ - begin_) * s.inner),
        sums(3 * count),
        scratch(4 * count) {}

  Real* values(int which) { return scratch.data() + which * count; }
  double* totals(int which) { return sums.data() + which * count; }

  // The same value for all columns of channel c.
  void fill(int which, int64_t c, Real value) {
    std::fill_n(values(which) + (c - begin) * inner, inner, value);
  }
  double total(int which, int64_t c) {
    double sum = 0;
    for (int64_t i = 0; i < inner; ++i) sum += totals(which)[(c - begin) * inner + i];
    return sum;
  }
};

// Calls task(block) for all channels.
template <class Real, class Task>
void for_column_blocks(const BatchNormShape& s, Task task) {
  const int64_t channels = kColumns / (s.inner + 1) + 1;
  parallel_runs(s.C, channels, s.N * s.C * s.inner, [&](int64_t begin, int64_t end) {
    ColumnBlock<Real> block(s, begin, end);
    task(block);
  });
}

template <class Real>
void column_moments(const BatchNormShape& s, ColumnBlock<Real>& block, const Real* x, Real* mean, Real* var) {
  const NormKernels<Real>& kernel = kernels<Real>().norm;
  const int64_t stride = s.C * s.inner;
  const double rows = static_cast<double>(s.N);
  double *sums = block.totals(0), *deviations = block.totals(1), *squares = block.totals(2);
  Real* center = block.values(0);
  kernel.column_sums(s.N, stride, block.count, x + block.first, sums);
  for (int64_t i = 0; i < block.count; ++i) center[i] = static_cast<Real>(sums[i] / rows);
  kernel.column_deviation_sums(s.N, stride, block.count, x + block.first, center, deviations);
  for (int64_t c = block.begin; c < block.end; ++c) {
    Moments moments;
    for (int64_t i = (c - block.begin) * s.inner; i < (c - block.begin + 1) * s.inner; ++i) {
      moments.add(rows, static_cast<double>(center[i]), deviations[i], squares[i]);
    }
    mean[c] = static_cast<Real>(moments.mean);
    var[c] = static_cast<Real>(moments.squares / moments.count);
  }
}

template <class Real>
void normalize_block(const BatchNormShape& s, ColumnBlock<Real>& block, const Real* x, const Real* mean,
                     const Real* var, const Real* weight, const Real* bias, Real* y) {
  for (int64_t c = block.begin; c < block.end; ++c) {
    const Affine<Real> map(s, c, mean, var, weight, bias);
    block.fill(0, c, map.mean);
    block.fill(1, c, map.scale);
    block.fill(2, c, map.shift);
  }
  kernels<Real>().norm.normalize_columns(s.N, s.C * s.inner, block.count, x + block.first, block.values(0),
                                         block.values(1), block.values(2), y + block.first);
}

template <class Real>
void normalize_channel(const BatchNormShape& s, int64_t c, const Affine<Real>& map, const Real* x, Real* y) {
  const NormKernels<Real>& kernel = kernels<Real>().norm;
  for (int64_t n = 0; n < s.N; ++n) {
    const int64_t at = (n * s.C + c) * s.inner;
    kernel.normalize(s.inner, x + at, map.mean, map.scale, map.shift, y + at);
  }
}

}  // namespace

template <class Real>
void batch_norm_training(const BatchNormShape& s, const Real* x, const Real* weight, const Real* bias,
                         Real* y, Real* mean, Real* var) {
  if (s.inner < kShortestRun) {
    return for_column_blocks<Real>(s, [&](ColumnBlock<Real>& block) {
      column_moments(s, block, x, mean, var);
      normalize_block(s, block, x, mean, var, weight, bias, y);
    });
  }
  // A channel is normalised while its values are still in the cache.
  parallel_for(s.C, s.N * s.C * s.inner, [&](int64_t c) {
    const Moments moments = run_moments(s, c, x);
    mean[c] = static_cast<Real>(moments.mean);
    var[c] = static_cast<Real>(moments.squares / moments.count);
    normalize_channel(s, c, Affine<Real>(s, c, mean, var, weight, bias), x, y);
  });
}

template <class Real>
void batch_norm(const BatchNormShape& s, const Real* x, const Real* mean, const Real* var, const Real* weight,
                const Real* bias, Real* y) {
  if (s.inner < kShortestRun) {
    return for_column_blocks<Real>(
        s, [&](ColumnBlock<Real>& block) { normalize_block(s, block, x, mean, var, weight, bias, y); });
  }
  parallel_for(s.C, s.N * s.C * s.inner, [&](int64_t c) {
    normalize_channel(s, c, Affine<Real>(s, c, mean, var, weight, bias), x, y);
  });
}

template <class Real>
void batch_norm_backward(const BatchNormShape& s, bool training, const Real* grad_y, const Real* x,
                         const Real* mean, const Real* var, const Real* weight, Real* grad_x,
                         Real* grad_weight, Real* grad_bias) {
  const NormKernels<Real>& kernel = kernels<Real>().norm;
  const auto finish = [&](int64_t c, double sum, double product) {
    grad_weight[c] = static_cast<Real>(product * inverse_deviation(s, var[c]));
    grad_bias[c] = static_cast<Real>(sum);
    return AffineBackward<Real>(s, training, var[c], weight ? static_cast<double>(weight[c]) : 1, sum,
                                product);
  };
  if (s.inner < kShortestRun) {
    return for_column_blocks<Real>(s, [&](ColumnBlock<Real>& block) {
      const int64_t stride = s.C * s.inner, at = block.first;
      for (int64_t c = block.begin; c < block.end; ++c) block.fill(0, c, mean[c]);
      kernel.column_gradient_sums(s.N, stride, block.count, grad_y + at, x + at, block.values(0),
                                  block.totals(0));
      for (int64_t c = block.begin; c < block.end; ++c) {
        const AffineBackward<Real> map = finish(c, block.total(0, c), block.total(1, c));
        block.fill(1, c, map.scale);
        block.fill(2, c, map.mean_grad);
        block.fill(3, c, map.slope);
      }
      kernel.normalize_columns_backward(s.N, stride, block.count, grad_y + at, x + at, block.values(0),
                                        block.values(1), block.values(2), block.values(3), grad_x + at);
    });
  }
  parallel_for(s.C, s.N * s.C * s.inner, [&](int64_t c) {
    double sum = 0, product = 0;
    for (int64_t n = 0; n < s.N; ++n) {
      const int64_t at = (n * s.C + c) * s.inner;
      double sums[2];
      kernel.gradient_sums(s.inner, grad_y + at, x + at, nullptr, mean[c], sums);
      sum += sums[0];
      product += sums[1];
    }
    const AffineBackward<Real> map = finish(c, sum, product);
    for (int64_t n = 0; n < s.N; ++n) {
      const int64_t at = (n * s.C + c) * s.inner;
      kernel.normalize_backward(s.inner, grad_y + at, x + at, mean[c], map.scale, map.mean_grad, map.slope,
                                grad_x + at);
    }
  });
}

template void batch_norm_training(const BatchNormShape&, const float*, const float*, const float*, float*,
                                  float*, float*);
template void batch_norm_training(const BatchNormShape&, const double*, const double*, const double*, double*,
                                  double*, double*);
template void batch_norm(const BatchNormShape&, const float*, const float*, const float*, const float*,
                         const float*, float*);
template void batch_norm(const BatchNormShape&, const double*, const double*, const double*, const double*,
                         const double*, double*);
template void batch_norm_backward(const BatchNormShape&, bool, const float*, const float*, const float*,
                                  const float*, const float*, float*, float*, float*);
template void batch_norm_backward(const BatchNormShape&, bool, const double*, const double*, const double*,
                                  const double*, const double*, double*, double*, double*);

}  // namespace unrolled
