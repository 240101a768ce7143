// How one item is cut: pairs into blocks of a few vectors, frames into chunks as high as a tile, chunks into
// groups that are one task each, and groups into runs between two rows that are kept. By the shape of the
// item alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/align_tile.h"
#include "ops/align.h"

namespace unrolled {

struct BlockRange {
  int64_t first, last;  // both included

  int64_t count() const { return std::max<int64_t>(0, last - first + 1); }
};

// The pairs in which a path may end, at frame end - 1.
struct PathEnd {
  int64_t end, least, most;
};

struct AlignBlocks {
  static constexpr int64_t kGroupChunks = 4;

  AlignBlocks(int64_t frames, int64_t labels, const AlignTileKernels& kernel, AlignMemory memory);

  int64_t first_frame(int64_t chunk) const { return chunk * kAlignTileFrames; }
  int64_t end_frame(int64_t chunk) const { return std::min(T, (chunk + 1) * kAlignTileFrames); }
  int64_t groups(int64_t chunk_count) const { return (chunk_count + kGroupChunks - 1) / kGroupChunks; }
  int64_t runs() const { return (chunks + run_chunks - 1) / run_chunks; }
  int64_t run_end(int64_t run) const { return std::min(chunks, (run + 1) * run_chunks); }

  // The blocks of a chunk with pairs on a way from the first pair to that end, and with those a frame before.
  BlockRange range(int64_t chunk, const PathEnd& at) const {
    const int64_t before = at.least - (at.end - first_frame(chunk));
    return {std::max<int64_t>(0, before) / width, std::min(at.most, end_frame(chunk) - 1) / width};
  }
  PathEnd whole() const { return {T, L - 1, L}; }

  // Bytes of the back-pointers of the last `count` chunks before an end.
  int64_t move_bytes(int64_t count) const;
  int64_t row_bytes() const { return blocks * 2 * width * static_cast<int64_t>(sizeof(float)); }

  int64_t T, L;
  int64_t vectors, width;  // of a block
  int64_t blocks, chunks, tile_bytes;
  int64_t run_chunks;  // whole groups, or all chunks

 private:
  int64_t choose_run(AlignMemory memory) const;
};

}  // namespace unrolled
