// Register blocks of the depthwise kernels.
#pragma once

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// A block stays in registers: rows tall, vectors wide.
#if UNROLLED_VECTOR_BYTES == 64 || defined(__aarch64__)  // 32 vector registers
constexpr int kVectors = 2;
#else
constexpr int kVectors = 1;
#endif
constexpr int kTall = 7, kLow = 3;  // 7 divides the sizes of most networks: 7, 14, 28, 56, 112, 224
constexpr int kWide = 4;            // vectors of a block of one row

// How many vectors a block has; R = 0 stands for any number of rows of taps.
template <int R, int rows>
constexpr int kBlockVectors = R == 0 && rows == 1 ? kWide : kVectors;

// Where a block lies, and the distance of its rows in both arrays.
template <class Real>
struct Place {
  const Real* band;
  int64_t band_pitch;
  Real* y;
  int64_t y_pitch;

  // `step`: rows of the band for one of y.
  UNROLLED_INLINE Place moved(int64_t rows, int64_t columns, int64_t step = 1) const {
    return {band + rows * step * band_pitch + columns, band_pitch, y + rows * y_pitch + columns, y_pitch};
  }
};

}  // namespace
}  // namespace unrolled::UNROLLED_LEVEL
