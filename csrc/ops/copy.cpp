#include "ops/copy.h"

#include <algorithm>
#include <cstdlib>

#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kBlock = 16;

struct Axis {
  int64_t size, from, to;  // steps
};

// The axes with their steps in C order, neighbours that lie alike made one.
std::vector<Axis> merged(const std::vector<StridedAxis>& axes) {
  std::vector<Axis> result;
  for (const StridedAxis& axis : axes) {
    if (axis.size == 1) continue;
    if (!result.empty() && result.back().from == axis.step * axis.size) {
      result.back().size *= axis.size, result.back().from = axis.step;
    } else {
      result.push_back({axis.size, axis.step, 0});
    }
  }
  int64_t step = 1;
  for (auto axis = result.rbegin(); axis != result.rend(); step *= axis->size, ++axis) axis->to = step;
  return result;
}

// Rows and columns of a matrix with any steps; `to` has its columns side by side.
template <class Real>
void copy_block(int64_t rows, int64_t columns, const Real* from, int64_t from_row, int64_t from_column,
                Real* to, int64_t to_row) {
  for (int64_t j = 0; j < columns; j += kBlock) {
    const int64_t end = std::min(j + kBlock, columns);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t k = j; k < end; ++k) to[i * to_row + k] = from[i * from_row + k * from_column];
    }
  }
}

}  // namespace

template <class Real>
void copy_in_order(const std::vector<StridedAxis>& shape, const Real* from, Real* to) {
  std::vector<Axis> axes = merged(shape);
  int64_t matrices = 1;
  for (const Axis& axis : axes) matrices *= axis.size;
  const int64_t elements = matrices;
  const auto take = [&](auto axis) {
    const Axis taken = *axis;
    axes.erase(axis);
    matrices /= std::max<int64_t>(taken.size, 1);
    return taken;
  };
  // Columns lie side by side in `to`, rows in `from`.
  const Axis column = axes.empty() ? Axis{1, 1, 1} : take(axes.end() - 1);
  const auto nearer = [](const Axis& a, const Axis& b) { return std::abs(a.from) < std::abs(b.from); };
  const Axis row = axes.empty() ? Axis{1, 1, 1} : take(std::min_element(axes.begin(), axes.end(), nearer));
  const int64_t blocks = (row.size + kBlock - 1) / kBlock;
  if (elements == 0) return;
  parallel_for(matrices * blocks, elements, [&](int64_t task) {
    int64_t rest = task / blocks, first = task % blocks * kBlock;
    const Real* source = from + first * row.from;
    Real* target = to + first * row.to;
    for (auto axis = axes.rbegin(); axis != axes.rend(); rest /= axis->size, ++axis) {
      source += rest % axis->size * axis->from, target += rest % axis->size * axis->to;
    }
    copy_block(std::min(kBlock, row.size - first), column.size, source, row.from, column.from, target,
               row.to);
  });
}

template void copy_in_order(const std::vector<StridedAxis>&, const float*, float*);
template void copy_in_order(const std::vector<StridedAxis>&, const double*, double*);

}  // namespace unrolled
