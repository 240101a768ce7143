#include "ops/upsample.h"

#include <cstring>
#include <vector>

#include "dispatch.h"
#include "memory.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kElementsPerTask = 1 << 15;

// The terms of one axis, in order of output and then of input.
template <class Real>
struct Taps {
  int64_t inputs, outputs;
  std::vector<int64_t> offset, index;
  std::vector<Real> weight;

  ResampleTaps<Real> view() const { return {offset.data(), index.data(), weight.data()}; }

  // Whether output i is output i - 1 once more.
  bool repeats(int64_t i) const {
    if (i == 0 || offset[i + 1] - offset[i] != offset[i] - offset[i - 1]) return false;
    const int64_t back = offset[i] - offset[i - 1];
    for (int64_t tap = offset[i]; tap < offset[i + 1]; ++tap) {
      if (index[tap] != index[tap - back] || weight[tap] != weight[tap - back]) return false;
    }
    return true;
  }
};

// Calls visit(output, input, weight) for every term that is not 0, output by output.
template <class Real, class Visit>
void for_terms(const ResampleAxis<Real>& axis, Visit visit) {
  for (int64_t o = 0; o < axis.outputs; ++o) {
    const Real first = axis.first_weight[o], second = 1 - first;
    if (axis.first[o] == axis.second[o]) {
      visit(o, axis.first[o], Real(1));
      continue;
    }
    if (first != 0) visit(o, axis.first[o], first);
    if (second != 0) visit(o, axis.second[o], second);
  }
}

// From inputs to outputs, or with `transposed` from outputs to inputs; a counting sort.
template <class Real>
Taps<Real> make_taps(const ResampleAxis<Real>& axis, bool transposed) {
  Taps<Real> taps;
  taps.inputs = transposed ? axis.outputs : axis.inputs;
  taps.outputs = transposed ? axis.inputs : axis.outputs;
  taps.offset.assign(static_cast<std::size_t>(taps.outputs + 1), 0);
  for_terms(axis, [&](int64_t o, int64_t i, Real) { ++taps.offset[(transposed ? i : o) + 1]; });
  for (int64_t k = 0; k < taps.outputs; ++k) taps.offset[k + 1] += taps.offset[k];
  taps.index.resize(static_cast<std::size_t>(taps.offset[taps.outputs]));
  taps.weight.resize(taps.index.size());
  std::vector<int64_t> next = taps.offset;
  for_terms(axis, [&](int64_t o, int64_t i, Real weight) {
    const int64_t at = next[transposed ? i : o]++;
    taps.index[at] = transposed ? o : i;
    taps.weight[at] = weight;
  });
  return taps;
}

template <class Real>
void run(int64_t planes, const Taps<Real>& rows, const Taps<Real>& columns, const Real* x, Real* y) {
  const UpsampleKernels<Real>& kernel = kernels<Real>().upsample;
  const ResampleTaps<Real> row_taps = rows.view(), column_taps = columns.view();
  const int64_t from = rows.inputs * columns.inputs, to = rows.outputs * columns.outputs;
  const int64_t work = from > to ? from : to;
  parallel_runs(planes, kElementsPerTask / (work + 1) + 1, planes * work, [&](int64_t begin, int64_t end) {
    Buffer<Real> blended(columns.inputs);
    for (int64_t plane = begin; plane < end; ++plane) {
      for (int64_t i = 0; i < rows.outputs; ++i) {
        Real* row = y + plane * to + i * columns.outputs;
        if (rows.repeats(i)) {
          std::memcpy(row, row - columns.outputs, static_cast<std::size_t>(columns.outputs) * sizeof(Real));
          continue;
        }
        kernel.blend_rows(row_taps, i, columns.inputs, x + plane * from, blended.data());
        kernel.blend_row(column_taps, columns.outputs, blended.data(), row);
      }
    }
  });
}

}  // namespace

template <class Real>
void resample(int64_t planes, const ResampleAxis<Real>& rows, const ResampleAxis<Real>& columns,
              const Real* x, Real* y) {
  run(planes, make_taps(rows, false), make_taps(columns, false), x, y);
}

template <class Real>
void resample_backward(int64_t planes, const ResampleAxis<Real>& rows, const ResampleAxis<Real>& columns,
                       const Real* grad_y, Real* grad_x) {
  run(planes, make_taps(rows, true), make_taps(columns, true), grad_y, grad_x);
}

template void resample(int64_t, const ResampleAxis<float>&, const ResampleAxis<float>&, const float*, float*);
template void resample(int64_t, const ResampleAxis<double>&, const ResampleAxis<double>&, const double*,
                       double*);
template void resample_backward(int64_t, const ResampleAxis<float>&, const ResampleAxis<float>&, const float*,
                                float*);
template void resample_backward(int64_t, const ResampleAxis<double>&, const ResampleAxis<double>&,
                                const double*, double*);

}  // namespace unrolled
