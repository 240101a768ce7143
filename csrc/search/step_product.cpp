#include "search/step_product.h"

#include <algorithm>

#include "parallel.h"

namespace unrolled::search {
namespace {

int64_t whole_tiles(int64_t columns, int64_t tile) { return (columns + tile - 1) / tile * tile; }

}  // namespace

StepProduct::StepProduct(int64_t outputs, int64_t inputs, const float* weight, int64_t weight_row,
                         const float* bias)
    : kernels_(kernels<float>().matmul),
      outputs_(outputs),
      inputs_(inputs),
      has_bias_(bias != nullptr),
      packed_(inputs * whole_tiles(outputs, kernels_.tile_columns)),
      bias_(outputs) {
  if (bias) std::copy_n(bias, outputs, bias_.data());
  const int64_t tile = kernels_.tile_columns;
  parallel_runs(outputs, tile, outputs * inputs, [&](int64_t begin, int64_t end) {
    kernels_.pack_columns(inputs, end - begin, weight + begin * weight_row, 1, weight_row,
                          packed_.data() + begin * inputs);
  });
}

void StepProduct::run(int64_t rows, const float* x, int64_t x_row, float* y, int64_t y_row, bool add) const {
  for (int64_t i = 0; i < rows && (has_bias_ || inputs_ == 0); ++i) {
    float* to = y + i * y_row;
    if (!add) std::fill_n(to, outputs_, 0.0f);
    for (int64_t j = 0; has_bias_ && j < outputs_; ++j) to[j] += bias_[j];
  }
  if (inputs_ == 0) return;
  kernels_.multiply_rows(rows, outputs_, inputs_, x, x_row, packed_.data(), y, y_row,
                         {.accumulate = add || has_bias_});
}

}  // namespace unrolled::search
