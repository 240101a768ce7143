#include "kernels/table.h"

namespace unrolled::UNROLLED_LEVEL {

template <class Real>
ActivationKernels<Real> activation_kernels();
template <class Real>
AlignRowKernels<Real> align_row_kernels();
AlignTileKernels align_tile_kernels();
template <class Real>
AttentionKernels<Real> attention_kernels();
template <class Real>
ConvKernels<Real> conv_kernels();
template <class Real>
ThinKernels<Real> thin_kernels();
CtcKernels ctc_kernels();
CtcEmissionKernels ctc_emission_kernels();
CtcExactKernels ctc_exact_kernels();
CtcGradientKernels ctc_gradient_kernels();
CtcLinearKernels ctc_linear_kernels();
template <class Real>
DecodeKernels<Real> decode_kernels();
template <class Real>
DecodeSymbolKernels<Real> decode_symbol_kernels();
template <class Real>
DepthwiseKernels<Real> depthwise_kernels();
template <class Real>
DepthwisePlaneKernels<Real> depthwise_plane_kernels();
template <class Real>
DepthwiseWeightKernels<Real> depthwise_weight_kernels();
template <class Real>
EmbeddingKernels<Real> embedding_kernels();
template <class Real>
CellKernels<Real> gru_kernels();
template <class Real>
CellKernels<Real> gru_reset_before_kernels();
template <class Real>
LossKernels<Real> loss_kernels();
template <class Real>
CellKernels<Real> lstm_kernels();
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
RecurrentKernels<Real> recurrent_kernels();
template <class Real>
DotRows<Real>* dot_rows_kernel();
template <class Real>
ReluKernels<Real> relu_kernels();
template <class Real>
RnnKernels<Real> rnn_kernels();
template <class Real>
SoftmaxKernels<Real> softmax_kernels();
template <class Real>
UpsampleKernels<Real> upsample_kernels();
template <class Real>
WinogradKernels<Real> winograd_f2_kernels();
template <class Real>
WinogradKernels<Real> winograd_f4_kernels();
template <class Real>
WinogradLineKernels<Real> winograd_line_kernels();

template <class Real>
Kernels<Real> kernels() {
  return {
      .activation = activation_kernels<Real>(),
      .align_row = align_row_kernels<Real>(),
      .align_tile = align_tile_kernels(),
      .attention = attention_kernels<Real>(),
      .conv = conv_kernels<Real>(),
      .thin = thin_kernels<Real>(),
      .ctc = ctc_kernels(),
      .ctc_emissions = ctc_emission_kernels(),
      .ctc_exact = ctc_exact_kernels(),
      .ctc_gradient = ctc_gradient_kernels(),
      .ctc_linear = ctc_linear_kernels(),
      .decode = decode_kernels<Real>(),
      .decode_symbols = decode_symbol_kernels<Real>(),
      .depthwise = depthwise_kernels<Real>(),
      .depthwise_plane = depthwise_plane_kernels<Real>(),
      .depthwise_weight = depthwise_weight_kernels<Real>(),
      .embedding = embedding_kernels<Real>(),
      .gru = gru_kernels<Real>(),
      .gru_reset_before = gru_reset_before_kernels<Real>(),
      .loss = loss_kernels<Real>(),
      .lstm = lstm_kernels<Real>(),
      .matmul = matmul_kernels<Real>(),
      .norm = norm_kernels<Real>(),
      .optim = optim_kernels<Real>(),
      .average_pool = average_pool_kernels<Real>(),
      .max_pool = {max_pool_forward<Real>(), max_pool_backward<Real>()},
      .recurrent = recurrent_kernels<Real>(),
      .dot_rows = dot_rows_kernel<Real>(),
      .relu = relu_kernels<Real>(),
      .rnn = rnn_kernels<Real>(),
      .softmax = softmax_kernels<Real>(),
      .upsample = upsample_kernels<Real>(),
      .winograd_f2 = winograd_f2_kernels<Real>(),
      .winograd_f4 = winograd_f4_kernels<Real>(),
      .winograd_line = winograd_line_kernels<Real>(),
  };
}
template Kernels<float> kernels();
template Kernels<double> kernels();

}  // namespace unrolled::UNROLLED_LEVEL
