#include "kernels/table.h"

namespace unrolled::UNROLLED_LEVEL {

template <class Real>
ActivationKernels<Real> activation_kernels();
template <class Real>
ConvKernels<Real> conv_kernels();
template <class Real>
ThinKernels<Real> thin_kernels();
CtcKernels ctc_kernels();
template <class Real>
DepthwiseKernels<Real> depthwise_kernels();
template <class Real>
DepthwiseWeightKernels<Real> depthwise_weight_kernels();
template <class Real>
LstmKernels<Real> lstm_kernels();
template <class Real>
MatmulKernels<Real> matmul_kernels();
template <class Real>
NormKernels<Real> norm_kernels();
template <class Real>
OptimKernels<Real> optim_kernels();
template <class Real>
PoolKernels<Real> pool_kernels();
template <class Real>
SoftmaxKernels<Real> softmax_kernels();

template <class Real>
Kernels<Real> kernels() {
  return {activation_kernels<Real>(), conv_kernels<Real>(),
          thin_kernels<Real>(),       ctc_kernels(),
          depthwise_kernels<Real>(),  depthwise_weight_kernels<Real>(),
          lstm_kernels<Real>(),       matmul_kernels<Real>(),
          norm_kernels<Real>(),       optim_kernels<Real>(),
          pool_kernels<Real>(),       softmax_kernels<Real>()};
}
template Kernels<float> kernels();
template Kernels<double> kernels();

}  // namespace unrolled::UNROLLED_LEVEL
