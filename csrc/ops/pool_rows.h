// What the pooling passes share: tasks of whole rows, and results written past the caches.
#pragma once

#include <algorithm>
#include <cstdint>

#include "memory.h"
#include "stream.h"

namespace unrolled {

// Rows of `elements` each that make a task long enough.
inline int64_t rows_per_task(int64_t elements) {
  constexpr int64_t kElementsPerTask = 1 << 15;
  return kElementsPerTask / (elements + 1) + 1;
}

// Calls make(first, last, rows) for rows begin .. end - 1 of `result`, `width` elements each, a few at a
// time; they are made in the cache and then written past it. The few are a multiple of `unit`.
template <class Real, class Make>
void stream_rows(int64_t begin, int64_t end, int64_t width, int64_t unit, Real* result, Make&& make) {
  constexpr int64_t kStaged = 8192 / static_cast<int64_t>(sizeof(Real));
  const int64_t together = std::min(std::max(kStaged / (width * unit), int64_t{1}) * unit, end - begin);
  Buffer<Real> staged(together * width);
  for (int64_t row = begin; row < end; row += together) {
    const int64_t last = std::min(row + together, end);
    make(row, last, staged.data());
    stream_copy(result + row * width, staged.data(),
                static_cast<std::size_t>((last - row) * width) * sizeof(Real));
  }
  stream_done();
}

}  // namespace unrolled
