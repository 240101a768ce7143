// Which kernel computes a convolution.
#pragma once

#include "ops/conv.h"
#include "ops/conv_winograd.h"

namespace unrolled {

enum class ConvMethod { direct, thin, depthwise, winograd_f2, winograd_f4, winograd_line };

// By the shape of one image alone. With several groups it is the method of one of them, `depthwise` apart.
template <class Real>
ConvMethod conv2d_method(const Conv2dShape& shape);

inline WinogradTile tile_of(ConvMethod method) {
  if (method == ConvMethod::winograd_line) return WinogradTile::line;
  return method == ConvMethod::winograd_f2 ? WinogradTile::f2 : WinogradTile::f4;
}

}  // namespace unrolled
