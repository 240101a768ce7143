// Resampling of planes over threads.
#pragma once

#include <cstdint>

namespace unrolled {

// One axis: output o = first_weight(o) x(first(o)) + (1 - first_weight(o)) x(second(o)).
template <class Real>
struct ResampleAxis {
  int64_t inputs, outputs;
  const int64_t *first, *second;  // (outputs), each within 0 .. inputs - 1
  const Real* first_weight;       // (outputs)
};

// x (planes, rows.inputs, columns.inputs) -> y (planes, rows.outputs, columns.outputs)
template <class Real>
void resample(int64_t planes, const ResampleAxis<Real>& rows, const ResampleAxis<Real>& columns,
              const Real* x, Real* y);

// grad_y, shaped as y -> grad_x, shaped as x: every input collects from the outputs that it went into.
template <class Real>
void resample_backward(int64_t planes, const ResampleAxis<Real>& rows, const ResampleAxis<Real>& columns,
                       const Real* grad_y, Real* grad_x);

}  // namespace unrolled
