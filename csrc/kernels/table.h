// All kernels of one ISA level and one precision.
#pragma once

#include "kernels/activation.h"
#include "kernels/conv.h"
#include "kernels/ctc.h"
#include "kernels/lstm.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/pool_average.h"
#include "kernels/pool_max.h"
#include "kernels/softmax.h"

namespace unrolled {

template <class Real>
struct Kernels {
  ActivationKernels<Real> activation;
  ConvKernels<Real> conv;
  CtcKernels ctc;
  LstmKernels<Real> lstm;
  MatmulKernels<Real> matmul;
  NormKernels<Real> norm;
  OptimKernels<Real> optim;
  AveragePoolKernels<Real> average_pool;
  MaxPoolKernels<Real> max_pool;
  SoftmaxKernels<Real> softmax;
};

}  // namespace unrolled
