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

DepthwisePass forward_pass(const Conv2dShape& s, int64_t element_size) {
  return DepthwisePass({s.H, s.OH, s.R, s.stride_h, s.dilation_h, s.pad_top},
                       {s.W, s.OW, s.S, s.stride_w, s.dilation_w, s.pad_left}, element_size);
}

DepthwiseWindow forward_window(const Conv2dShape& s, const DepthwisePass& pass,
                               const std::vector<int64_t>& columns) {
  return {s.R, s.S, s.stride_h, s.dilation_h, pass.plane().row_pitch(), columns.data()};
}

namespace {

bool is_small_and_plain(const Conv2dShape& s) {
  return s.R == 3 && s.S == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1;
}

template <class Real>
DepthwiseBands bands_of(const Conv2dShape& s, const DepthwisePlane& plane) {
  constexpr int64_t kReach = 2;  // of the kernel beyond a pixel
  const auto is_border = [](int64_t pad) { return pad >= 0 && pad <= kReach; };
  const int64_t fit = kBandBytes / static_cast<int64_t>(sizeof(Real)) / std::max<int64_t>(1, plane.columns);
  return {kernels<Real>().depthwise_plane.correlate && is_small_and_plain(s) && is_border(plane.pad_top) &&
              is_border(plane.pad_left),
          plane, std::max(kTallBlock, fit / kTallBlock * kTallBlock)};
}

}  // namespace

template <class Real>
DepthwiseBands forward_bands(const Conv2dShape& s) {
  return bands_of<Real>(s, {s.H, s.W, s.OH, s.OW, s.pad_top, s.pad_left});
}

template <class Real>
DepthwiseBands backward_bands(const Conv2dShape& s) {
  return bands_of<Real>(s, {s.OH, s.OW, s.H, s.W, s.R - 1 - s.pad_top, s.S - 1 - s.pad_left});
}

template DepthwiseBands forward_bands<float>(const Conv2dShape&);
template DepthwiseBands forward_bands<double>(const Conv2dShape&);
template DepthwiseBands backward_bands<float>(const Conv2dShape&);
template DepthwiseBands backward_bands<double>(const Conv2dShape&);

}  // namespace unrolled
