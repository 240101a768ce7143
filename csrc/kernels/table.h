// All kernels of one ISA level and one precision.
#pragma once

#include "kernels/activation.h"
#include "kernels/conv.h"
#include "kernels/conv_thin.h"
#include "kernels/ctc.h"
#include "kernels/depthwise.h"
#include "kernels/depthwise_weight.h"
#include "kernels/lstm.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/pool.h"
#include "kernels/softmax.h"

namespace unrolled {

template <class Real>
struct Kernels {
  ActivationKernels<Real> activation;
  ConvKernels<Real> conv;
  ThinKernels<Real> thin;
  CtcKernels ctc;
  DepthwiseKernels<Real> depthwise;
  DepthwiseWeightKernels<Real> depthwise_weight;
  LstmKernels<Real> lstm;
  MatmulKernels<Real> matmul;
  NormKernels<Real> norm;
  OptimKernels<Real> optim;
  PoolKernels<Real> pool;
  SoftmaxKernels<Real> softmax;
};

}  // namespace unrolled
