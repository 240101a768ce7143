// A linear map for many small products: its weight packed once, its rows of any number.
#pragma once

#include <cstdint>

#include "dispatch.h"
#include "memory.h"

namespace unrolled::search {

class StepProduct {
 public:
  // weight (outputs, inputs), rows weight_row apart; bias (outputs) or null.
  StepProduct(int64_t outputs, int64_t inputs, const float* weight, int64_t weight_row, const float* bias);

  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_; }

  // y (rows, outputs) = or += x (rows, inputs) times the transposed weight, and the bias; rows x_row and
  // y_row apart. The bits of a row depend on that row alone.
  void run(int64_t rows, const float* x, int64_t x_row, float* y, int64_t y_row, bool add = false) const;

 private:
  const MatmulKernels<float>& kernels_;
  int64_t outputs_, inputs_;
  bool has_bias_;
  Buffer<float> packed_, bias_;
};

}  // namespace unrolled::search
