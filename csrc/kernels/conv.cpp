#include "kernels/conv.h"

#include "kernels/product_tile.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// Every stride-th element of a row, from column `first` of the image on, which may lie before or behind it.
template <class Real>
void pad_row(int64_t W, int64_t stride, int64_t first, const Real* x, int64_t n, Real* to) {
  int64_t begin = first < 0 ? (-first + stride - 1) / stride : 0;
  int64_t end = first < W ? (W - first + stride - 1) / stride : 0;
  begin = begin < n ? begin : n;
  end = end < n ? end : n;
  if (end < begin) end = begin;
  const size_t size = sizeof(Real);
  std::memset(to, 0, static_cast<size_t>(begin) * size);
  if (stride == 1) {
    if (end > begin) std::memcpy(to + begin, x + first + begin, static_cast<size_t>(end - begin) * size);
  } else {
    for (int64_t i = begin; i < end; ++i) to[i] = x[first + i * stride];
  }
  std::memset(to + end, 0, static_cast<size_t>(n - end) * size);
}

template <class Real>
void pad_image(const ConvShape& s, const Real* x, Real* padded) {
  for (int64_t c = 0; c < s.C; ++c) {
    for (int64_t row = -s.pad_top; row < s.padded_h - s.pad_top; ++row, padded += s.row_pitch()) {
      if (row < 0 || row >= s.H) {
        std::memset(padded, 0, static_cast<size_t>(s.row_pitch()) * sizeof(Real));
        continue;
      }
      for (int64_t phase = 0; phase < s.stride_w; ++phase) {
        pad_row(s.W, s.stride_w, phase - s.pad_left, x + (c * s.H + row) * s.W, s.padded_w,
                padded + phase * s.padded_w);
      }
    }
  }
}

// Both ends of [0, n) as one block each, which may overlap; n is at least the block.
template <int64_t block, class Real>
UNROLLED_INLINE void copy_ends(int64_t n, const Real* from, Real* to) {
  std::memcpy(to, from, block * sizeof(Real));
  std::memcpy(to + n - block, from + n - block, block * sizeof(Real));
}

template <class Real>
UNROLLED_INLINE void copy_run(int64_t n, const Real* from, Real* to) {
  constexpr int64_t W = kWidth<Real>;
  if (n >= W) {
    for (int64_t i = 0; i + W <= n; i += W) store(to + i, load(from + i));
    store(to + n - W, load(from + n - W));
  } else if (W >= 16 && n >= 8) {
    copy_ends<8>(n, from, to);
  } else if (W >= 8 && n >= 4) {
    copy_ends<4>(n, from, to);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
  }
}

// Pixels from j on that lie side by side in the padded image: to the end of the row, or of all rows where
// nothing lies between them.
UNROLLED_INLINE int64_t run_length(const ConvShape& s, int64_t j) {
  return s.stride_h * s.row_pitch() == s.OW ? s.OH * s.OW - j : s.OW - j % s.OW;
}

UNROLLED_INLINE int64_t pixel_offset(const ConvShape& s, int64_t j) {
  return j / s.OW * s.stride_h * s.row_pitch() + j % s.OW;
}

// Pixels that lie side by side both in the padded image and in a panel.
struct Segment {
  int64_t from, to, length;
};

// A chunk of segments is cut once and copied for every tap: each tap's pixels are read in one go.
constexpr int kSegments = 64;

template <class Real>
void pack_pixels(const ConvShape& s, const Real* padded, const int64_t* offsets, int64_t k0, int64_t k1,
                 int64_t j0, int64_t j1, int64_t tile_columns, Real* packed) {
  const int64_t panel = (k1 - k0) * tile_columns;
  Segment segments[kSegments];
  for (int64_t j = j0; j < j1;) {
    int count = 0;
    for (; j < j1 && count < kSegments; ++count) {
      const int64_t place = (j - j0) % tile_columns;
      int64_t length = run_length(s, j);
      if (length > tile_columns - place) length = tile_columns - place;
      if (length > j1 - j) length = j1 - j;
      segments[count] = {pixel_offset(s, j), (j - j0) / tile_columns * panel + place, length};
      j += length;
    }
    for (int64_t k = k0; k < k1; ++k) {
      for (int i = 0; i < count; ++i) {
        const Segment& segment = segments[i];
        copy_run(segment.length, padded + offsets[k] + segment.from,
                 packed + segment.to + (k - k0) * tile_columns);
      }
    }
  }
  const int64_t rest = (j1 - j0) % tile_columns;
  if (rest == 0) return;
  Real* last = packed + (j1 - j0) / tile_columns * panel;
  for (int64_t k = k0; k < k1; ++k, last += tile_columns) {
    for (int64_t p = rest; p < tile_columns; ++p) last[p] = 0;
  }
}

// A tile of pixels in one row of the output, all K channels; padded: the first tap of the first pixel.
template <class Real, int vectors>
void convolve_tile(int64_t K, int64_t columns, int64_t taps, const Real* padded, const int64_t* offsets,
                   const Real* weight, const ProductEnd<Real>& whole, Real* y, int64_t plane) {
  constexpr int R = kProductRows;
  const auto line = [=](int64_t tap) { return padded + offsets[tap]; };
  ProductEnd<Real> end = whole;
  for (int64_t k = 0; k < K; k += R, weight += R * taps, y += R * plane) {
    end.bias = whole.bias ? whole.bias + k : nullptr;
    const ProductRows<Real> rows = {weight, 1, R};
    if (K - k >= R && columns == vectors * kWidth<Real>) {
      product_tile<Real, R, vectors>(taps, rows, line, y, plane, end);
    } else {
      product_edge_tile<Real, R, vectors>(K - k < R ? K - k : R, columns, taps, rows, line, y, plane, end);
    }
  }
}

template <class Real>
void convolve_rows(const ConvShape& s, int64_t K, const Real* padded, const int64_t* offsets, int64_t taps,
                   const Real* weight_packed, int64_t row0, int64_t row1, const ProductEnd<Real>& end,
                   Real* y) {
  constexpr int64_t W = kWidth<Real>, kColumns = kProductVectors * W;
  for (int64_t row = row0; row < row1; ++row) {
    for (int64_t j = 0; j < s.OW; j += kColumns) {
      const int64_t columns = s.OW - j < kColumns ? s.OW - j : kColumns;
      const Real* pixel = padded + row * s.stride_h * s.row_pitch() + j;
      with_vectors((columns + W - 1) / W, [&](auto vectors) {
        convolve_tile<Real, vectors.value>(K, columns, taps, pixel, offsets, weight_packed, end,
                                           y + row * s.OW + j, s.OH * s.OW);
      });
    }
  }
  if (end.past) stream_fence();
}

// `count` taps of a run of pixels in one row of the output, by blocks of W pixels; from: the first tap of the
// first pixel. The last block overlaps the one before, or, where the run is shorter than a block, goes on
// into what the next run writes after it: both buffers end in kConvSlack spare rows.
template <class Real>
void pack_taps_of_run(int64_t run, int64_t count, int64_t tile_columns, const Real* from,
                      const int64_t* offsets, Real* packed) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t i = 0; i < run; i += W) {
    const int64_t first = i + W <= run || run < W ? i : run - W;
    for (int64_t j = 0; j < tile_columns; j += W) {
      const auto tap = [=](int lane) {
        return j + lane < count ? load(from + offsets[j + lane] + first) : Vec<Real>{};
      };
      transpose_block<Real>(tap, packed + first * tile_columns + j, tile_columns);
    }
  }
}

template <class Real>
void pack_taps(const ConvShape& s, const Real* padded, const int64_t* offsets, int64_t p0, int64_t p1,
               int64_t tile_columns, Real* packed) {
  for (int64_t j = 0; j < s.taps(); j += tile_columns) {
    const int64_t count = s.taps() - j < tile_columns ? s.taps() - j : tile_columns;
    for (int64_t p = p0; p < p1;) {
      const int64_t run = run_length(s, p) < p1 - p ? run_length(s, p) : p1 - p;
      pack_taps_of_run(run, count, tile_columns, padded + pixel_offset(s, p), offsets + j, packed);
      packed += run * tile_columns;
      p += run;
    }
  }
}

}  // namespace

template <class Real>
ConvKernels<Real> conv_kernels() {
  return {pad_image<Real>, pack_pixels<Real>, convolve_rows<Real>, pack_taps<Real>};
}
template ConvKernels<float> conv_kernels();
template ConvKernels<double> conv_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
