#include "ops/depthwise_pass.h"

#include "ops/matmul.h"

namespace unrolled {
namespace {

constexpr int64_t kBandBytes = 8 << 10;  // of padded rows, but at least one block of them
constexpr int64_t kTallBlock = 7;        // rows of most register blocks

}  // namespace

DepthwisePass::DepthwisePass(const WindowAxis& rows, const WindowAxis& columns, int64_t element_size)
    : rows_(rows), columns_(columns) {
  const int64_t before = columns.zeros() / columns.stride;
  plane_.H = rows.used(), plane_.W = columns.used(), plane_.row_step = columns.size;
  plane_.pad_top = rows.zeros(), plane_.pad_left = columns.zeros();
  plane_.stride_w = columns.stride;
  plane_.lead = round_up(before, kDepthwiseLanes) - before;
  // Where columns are split, a run may end in a whole vector of zeros.
  const int64_t run = plane_.lead + columns.reach(columns.outputs) / columns.stride;
  plane_.phase = round_up(run + (columns.stride > 1 ? kDepthwiseLanes : 1), kDepthwiseLanes);
  const int64_t most = std::max<int64_t>(1, rows.outputs);
  const int64_t fit = kBandBytes / element_size / plane_.row_pitch() - rows.reach(1);
  rows_at_once_ = std::clamp<int64_t>(fit / rows.stride + 1, std::min(kTallBlock, most), most);
  plane_.whole = rows_at_once_ >= rows.outputs;
  if (!plane_.whole) rows_at_once_ -= rows_at_once_ % kTallBlock;
}

std::vector<int64_t> DepthwisePass::tap_columns() const {
  std::vector<int64_t> places(columns_.taps);
  for (int64_t q = 0; q < columns_.taps; ++q) places[q] = plane_.column(q * columns_.dilation);
  return places;
}

}  // namespace unrolled
