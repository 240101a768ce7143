#include "ops/pool.h"

#include "dispatch.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kElementsPerTask = 1 << 15;

int64_t planes_per_task(const PoolShape& s) { return kElementsPerTask / (s.H * s.W + 1) + 1; }

}  // namespace

template <class Real>
void max_pool2d(int64_t planes, const PoolShape& s, const Real* x, Real* y, uint8_t* window) {
  const PoolKernels<Real>& kernel = kernels<Real>().pool;
  parallel_runs(planes, planes_per_task(s), planes * s.H * s.W, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernel.max_forward(s, x + i * s.H * s.W, y + i * s.OH * s.OW, window + i * s.OH * s.OW);
    }
  });
}

template <class Real>
void max_pool2d_backward(int64_t planes, const PoolShape& s, const Real* grad_y, const uint8_t* window,
                         Real* grad_x) {
  const PoolKernels<Real>& kernel = kernels<Real>().pool;
  parallel_runs(planes, planes_per_task(s), planes * s.H * s.W, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernel.max_backward(s, grad_y + i * s.OH * s.OW, window + i * s.OH * s.OW, grad_x + i * s.H * s.W);
    }
  });
}

template void max_pool2d(int64_t, const PoolShape&, const float*, float*, uint8_t*);
template void max_pool2d(int64_t, const PoolShape&, const double*, double*, uint8_t*);
template void max_pool2d_backward(int64_t, const PoolShape&, const float*, const uint8_t*, float*);
template void max_pool2d_backward(int64_t, const PoolShape&, const double*, const uint8_t*, double*);

}  // namespace unrolled
