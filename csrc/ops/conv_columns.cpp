#include "ops/conv_columns.h"

#include <algorithm>

#include "dispatch.h"
#include "ops/matmul.h"
#include "parallel.h"
#include "stream.h"

namespace unrolled {
namespace {

constexpr int64_t kPaddedElements = int64_t{1} << 21;  // padded images that lie ready at a time
constexpr int64_t kPixelTiles = 4;                     // register tiles of pixels in one task

// Whether the image itself may serve as the padded one.
bool needs_no_padding(const ConvShape& s) {
  return s.pad_top == 0 && s.pad_left == 0 && s.stride_w == 1 && s.padded_h == s.H && s.padded_w == s.W;
}

// The weight (K, taps) in panels of rows, one chunk of depth after the other.
template <class Real>
Buffer<Real> pack_weight(const MatmulKernels<Real>& kernel, int64_t K, int64_t taps, const Real* weight) {
  const int64_t padded = round_up(K, kernel.tile_rows);
  Buffer<Real> packed(padded * taps);
  for (int64_t p = 0; p < taps; p += kMatmulDepth) {
    kernel.pack_rows(K, std::min(kMatmulDepth, taps - p), weight + p, taps, 1, packed.data() + p * padded);
  }
  return packed;
}

// What becomes of the sums.
template <class Real>
struct Results {
  const Epilogue<Real>& epilogue;
  bool past;  // they are too large for the caches, and whole lines

  // Bias and ReLU follow the last chunk of depth.
  ProductEnd<Real> end_of_chunk(int64_t begin, bool last) const {
    return {begin > 0, last ? epilogue.bias : nullptr, last && epilogue.relu, past && begin == 0 && last};
  }
};

// Images y_step apart of K planes; `run`: the pixels that a block begins with a multiple of.
template <class Real>
bool goes_past(int64_t N, int64_t K, const ConvShape& s, int64_t run, const Real* y, int64_t y_step) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(Real));
  const int64_t bytes = N * K * s.OH * s.OW * static_cast<int64_t>(sizeof(Real));
  const bool lines = run % kLine == 0 && s.OH * s.OW % kLine == 0 && y_step % kLine == 0;
  return bytes >= kStreamBytes && lines && reinterpret_cast<uintptr_t>(y) % 64 == 0;
}

// One image, pixels [j0, j1) of all K outputs.
template <class Real>
void convolve_pixels(const Kernels<Real>& kernels, const ConvShape& s, int64_t K, const Real* padded,
                     const int64_t* offsets, const Real* weight_packed, const Results<Real>& results,
                     int64_t j0, int64_t j1, Real* y) {
  const MatmulKernels<Real>& product = kernels.matmul;
  const int64_t depth = s.taps(), pixels = s.OH * s.OW;
  const int64_t K_padded = round_up(K, product.tile_rows);
  Buffer<Real> columns(round_up(j1 - j0, product.tile_columns) * std::min(depth, kMatmulDepth));
  for (int64_t p = 0; p < depth; p += kMatmulDepth) {
    const int64_t end = std::min(p + kMatmulDepth, depth);
    kernels.conv.pack_pixels(s, padded, offsets, p, end, j0, j1, product.tile_columns, columns.data());
    product.multiply(K, j1 - j0, end - p, weight_packed + p * K_padded, columns.data(), y + j0, pixels,
                     results.end_of_chunk(p, end == depth));
  }
}

// Without packing every vector of pixels comes from the padded image, as often as there are tiles of rows:
// for what stays in the first-level cache, or where few outputs would not repay the packing.
constexpr int64_t kFewTaps = 160, kFewOutputs = 24, kLongRow = 24;

bool repays_no_packing(const ConvShape& s, int64_t K) {
  return s.OW >= kLongRow && (s.taps() <= kFewTaps || K <= kFewOutputs);
}

// Pixels, or rows, of one task; where the cuts lie changes no bit.
template <class Real>
int64_t block_length(const MatmulKernels<Real>& kernel, const ConvShape& s, int64_t N, bool by_rows) {
  const int64_t enough = 2 * get_num_threads(), pixels = s.OH * s.OW;
  int64_t tiles = kPixelTiles;
  while (tiles > 1 && N * pixels < enough * tiles * kernel.tile_columns) tiles /= 2;
  const int64_t step = tiles * kernel.tile_columns;
  return by_rows ? std::max<int64_t>(1, step / s.OW) : step;
}

// Blocks of rows or of pixels of one image, as the two ways of computing them have it.
template <class Real>
void convolve_image(const Kernels<Real>& kernel, const ConvShape& s, int64_t K, const Real* padded,
                    const int64_t* offsets, const Real* weight_packed, const Results<Real>& results,
                    bool by_rows, int64_t begin, int64_t end, Real* y) {
  if (!by_rows) return convolve_pixels(kernel, s, K, padded, offsets, weight_packed, results, begin, end, y);
  const int64_t K_padded = round_up(K, kernel.matmul.tile_rows);
  for (int64_t p = 0; p < s.taps(); p += kMatmulDepth) {
    const int64_t taps = std::min(kMatmulDepth, s.taps() - p);
    kernel.conv.convolve_rows(s, K, padded, offsets + p, taps, weight_packed + p * K_padded, begin, end,
                              results.end_of_chunk(p, p + taps == s.taps()), y);
  }
}

}  // namespace

Buffer<int64_t> tap_offsets(const ConvShape& s) {
  Buffer<int64_t> offsets(s.taps());
  for (int64_t tap = 0; tap < s.taps(); ++tap) offsets[tap] = s.tap_offset(tap);
  return offsets;
}

template <class Real>
void convolve_columns(const ConvShape& s, int64_t N, int64_t K, const Real* x, int64_t x_step,
                      const Real* weight, const Epilogue<Real>& epilogue, Real* y, int64_t y_step) {
  const Kernels<Real>& kernel = kernels<Real>();
  const bool by_rows = repays_no_packing(s, K), in_place = !by_rows && needs_no_padding(s);
  const Buffer<Real> weight_packed = pack_weight(kernel.matmul, K, s.taps(), weight);
  const Buffer<int64_t> offsets = tap_offsets(s);
  const int64_t length = by_rows ? s.OH : s.OH * s.OW;
  const int64_t step = block_length(kernel.matmul, s, N, by_rows);
  const Results<Real> results = {epilogue, goes_past(N, K, s, by_rows ? s.OW : step, y, y_step)};
  const int64_t size = s.padded_size(), blocks = (length + step - 1) / step;
  const int64_t at_once =
      std::clamp<int64_t>(kPaddedElements / std::max<int64_t>(1, size), 1, std::max<int64_t>(1, N));
  Buffer<Real> padded(in_place ? 0 : at_once * size + kConvSlack);
  const int64_t work = s.OH * s.OW * K * s.taps() / kMultiplyAddsPerOperation;
  for (int64_t n0 = 0; n0 < N; n0 += at_once) {
    const int64_t count = std::min(at_once, N - n0);
    parallel_for(in_place ? 0 : count, count * size, [&](int64_t i) {
      kernel.conv.pad_image(s, x + (n0 + i) * x_step, padded.data() + i * size);
    });
    parallel_for(count * blocks, count * work, [&](int64_t task) {
      const int64_t i = task / blocks, begin = task % blocks * step;
      const Real* image = in_place ? x + (n0 + i) * x_step : padded.data() + i * size;
      convolve_image(kernel, s, K, image, offsets.data(), weight_packed.data(), results, by_rows, begin,
                     std::min(begin + step, length), y + (n0 + i) * y_step);
    });
  }
}

template void convolve_columns(const ConvShape&, int64_t, int64_t, const float*, int64_t, const float*,
                               const Epilogue<float>&, float*, int64_t);
template void convolve_columns(const ConvShape&, int64_t, int64_t, const double*, int64_t, const double*,
                               const Epilogue<double>&, double*, int64_t);

}  // namespace unrolled
