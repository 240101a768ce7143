// All kernels of one ISA level and one precision.
#pragma once

#include "kernels/activation.h"
#include "kernels/align.h"
#include "kernels/align_tile.h"
#include "kernels/attention.h"
#include "kernels/conv.h"
#include "kernels/conv_thin.h"
#include "kernels/ctc.h"
#include "kernels/ctc_emissions.h"
#include "kernels/ctc_exact.h"
#include "kernels/ctc_gradient.h"
#include "kernels/ctc_linear.h"
#include "kernels/decode.h"
#include "kernels/decode_symbols.h"
#include "kernels/depthwise.h"
#include "kernels/depthwise_plane.h"
#include "kernels/depthwise_weight.h"
#include "kernels/embedding.h"
#include "kernels/loss.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/pool_average.h"
#include "kernels/pool_max.h"
#include "kernels/recurrent.h"
#include "kernels/relu.h"
#include "kernels/softmax.h"
#include "kernels/upsample.h"
#include "kernels/winograd.h"

namespace unrolled {

template <class Real>
struct Kernels {
  ActivationKernels<Real> activation;
  AlignRowKernels<Real> align_row;
  AlignTileKernels align_tile;
  AttentionKernels<Real> attention;
  ConvKernels<Real> conv;
  ThinKernels<Real> thin;
  CtcKernels ctc;
  CtcEmissionKernels ctc_emissions;
  CtcExactKernels ctc_exact;
  CtcGradientKernels ctc_gradient;
  CtcLinearKernels ctc_linear;
  DecodeKernels<Real> decode;
  DecodeSymbolKernels<Real> decode_symbols;
  DepthwiseKernels<Real> depthwise;
  DepthwisePlaneKernels<Real> depthwise_plane;
  DepthwiseWeightKernels<Real> depthwise_weight;
  EmbeddingKernels<Real> embedding;
  CellKernels<Real> gru;
  CellKernels<Real> gru_reset_before;
  LossKernels<Real> loss;
  CellKernels<Real> lstm;
  MatmulKernels<Real> matmul;
  NormKernels<Real> norm;
  OptimKernels<Real> optim;
  AveragePoolKernels<Real> average_pool;
  MaxPoolKernels<Real> max_pool;
  RecurrentKernels<Real> recurrent;
  DotRows<Real>* dot_rows;
  ReluKernels<Real> relu;
  RnnKernels<Real> rnn;
  SoftmaxKernels<Real> softmax;
  UpsampleKernels<Real> upsample;
  WinogradKernels<Real> winograd_f2;
  WinogradKernels<Real> winograd_f4;
  WinogradLineKernels<Real> winograd_line;
};

}  // namespace unrolled
