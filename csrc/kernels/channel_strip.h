// Planes of channels to pixels of W channels and back: what lies side by side in an image are pixels of one
// channel, what vectors hold are channels of one pixel.
#pragma once

#include "kernels/simd_stream.h"

namespace unrolled::UNROLLED_LEVEL {

inline constexpr int64_t kFetchBytes = 128 << 10;  // planes fetched ahead; larger ones would not stay

// `pixels` of W planes, plane_stride apart, to strip (pixels, W); planes from `count` on are zero.
template <class Real>
void gather_channels(const Real* planes, int64_t plane_stride, int64_t count, int64_t pixels, Real* strip) {
  constexpr int64_t W = kWidth<Real>;
  if (pixels < W) {
    const auto row = [=](int lane) {
      return lane < count ? load_partial(planes + lane * plane_stride, pixels, Real(0)) : Vec<Real>{};
    };
    Real block[W * W];
    transpose_block<Real>(row, block, W);
    for (int64_t p = 0; p < pixels; ++p) store(strip + p * W, load(block + p * W));
    return;
  }
  // The processor does not foresee that many short runs. The next W planes follow these, or the next image's.
  const int64_t next = W * plane_stride;
  const bool fetch = next * static_cast<int64_t>(sizeof(Real)) <= kFetchBytes;
  for (int64_t p = 0; p < pixels; p += W) {
    const int64_t first = p + W <= pixels ? p : pixels - W;  // the last block overlaps the one before
    const auto row = [=](int lane) {
      const Real* from = planes + lane * plane_stride + first;
      if (fetch) prefetch(reinterpret_cast<uintptr_t>(from + next));
      return lane < count ? load(from) : Vec<Real>{};
    };
    transpose_block<Real>(row, strip + first * W, W);
  }
}

// The reverse: strip (pixels, W) to `pixels` of `count` planes. With `past` whole lines go past the caches.
template <class Real>
void scatter_channels(const Real* strip, int64_t pixels, int64_t count, bool past, Real* planes,
                      int64_t plane_stride) {
  constexpr int64_t W = kWidth<Real>, kBytes = W * static_cast<int64_t>(sizeof(Real));
  if (pixels < W) {
    for (int64_t lane = 0; lane < count; ++lane) {
      for (int64_t p = 0; p < pixels; ++p) planes[lane * plane_stride + p] = strip[p * W + lane];
    }
    return;
  }
  const bool lines = past && kBytes == kLineBytes && plane_stride % W == 0;
  for (int64_t p = 0; p < pixels; p += W) {
    const int64_t first = p + W <= pixels ? p : pixels - W;
    const auto row = [=](int i) { return load(strip + (first + i) * W); };
    Real* const to = planes + first;
    const bool whole = lines && starts_line(to);
    if (count >= W && !whole) {
      transpose_block<Real>(row, to, plane_stride);
      continue;
    }
    Real block[W * W];
    transpose_block<Real>(row, block, W);
    for (int64_t lane = 0; lane < count; ++lane) {
      const Vec<Real> v = load(block + lane * W);
      whole ? store_past(to + lane * plane_stride, v) : store(to + lane * plane_stride, v);
    }
  }
}

}  // namespace unrolled::UNROLLED_LEVEL
