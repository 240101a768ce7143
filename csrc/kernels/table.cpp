#include "kernels/table.h"

namespace unrolled::UNROLLED_LEVEL {

template <class Real>
ActivationKernels<Real> activation_kernels();
template <class Real>
ConvKernels<Real> conv_kernels();
CtcKernels ctc_kernels();
template <class Real>
LstmKernels<Real> lstm_kernels();
template <class Real>
MatmulKernels<Real> matmul_kernels();
template <class Real>
NormKernels<Real> norm_kernels();
template <class Real>
OptimKernels<Real> optim_kernels();
template <class Real>
AveragePoolKernels<Real> average_pool_kernels();
template <class Real>
MaxPoolForward<Real>* max_pool_forward();
template <class Real>
MaxPoolBackward<Real>* max_pool_backward();
template <class Real>
SoftmaxKernels<Real> softmax_kernels();

template <class Real>
Kernels<Real> kernels() {
  return {activation_kernels<Real>(),
          conv_kernels<Real>(),
          ctc_kernels(),
          lstm_kernels<Real>(),
          matmul_kernels<Real>(),
          norm_kernels<Real>(),
          optim_kernels<Real>(),
          average_pool_kernels<Real>(),
          MaxPoolKernels<Real>{max_pool_forward<Real>(), max_pool_backward<Real>()},
          softmax_kernels<Real>()};
}
template Kernels<float> kernels();
template Kernels<double> kernels();

}  // namespace unrolled::UNROLLED_LEVEL
