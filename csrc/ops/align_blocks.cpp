#include "ops/align_blocks.h"

namespace unrolled {
namespace {

constexpr int64_t kFullBytes = int64_t{3}
                               << 19;  // back-pointers up to here are quicker kept than found again
constexpr int64_t kRowBytes = int64_t{32}
                              << 20;    // kept rows up to here: the shorter a run, the less is done twice
constexpr int64_t kNarrowPairs = 2048;  // fewer pairs: narrow blocks, which the cone cuts closer
constexpr int64_t kNarrowVectors = 5;

int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

AlignBlocks::AlignBlocks(int64_t frames, int64_t labels, const AlignTileKernels& kernel, AlignMemory memory)
    : T(frames), L(labels) {
  const int64_t all = ceil_divide(L + 1, kernel.lanes);
  const int64_t most = L < kNarrowPairs ? std::min(kNarrowVectors, kernel.vectors) : kernel.vectors;
  blocks = ceil_divide(all, most);
  vectors = ceil_divide(all, blocks);
  width = vectors * kernel.lanes;
  blocks = ceil_divide(L + 1, width);
  chunks = ceil_divide(T, kAlignTileFrames);
  tile_bytes = kAlignTileFrames * vectors * 3 * kernel.mask_bytes;
  run_chunks = choose_run(memory);
}

// A path falls by at most one pair a frame.
int64_t AlignBlocks::move_bytes(int64_t count) const {
  int64_t tiles = 0;
  for (int64_t back = 1; back <= count; ++back)
    tiles += std::min(blocks, back * kAlignTileFrames / width + 2);
  return tiles * tile_bytes;
}

int64_t AlignBlocks::choose_run(AlignMemory memory) const {
  if (memory == AlignMemory::kFull) return chunks;
  if (memory == AlignMemory::kAuto && move_bytes(chunks) <= kFullBytes) return chunks;
  // The rows hold what of the pairs lies between the two ends: on average this share.
  const double share = 1 - static_cast<double>(L) / static_cast<double>(T) / 2;
  const auto kept = [&](int64_t run) {
    return static_cast<double>(row_bytes()) * share * static_cast<double>(ceil_divide(chunks, run) - 1);
  };
  int64_t run = kGroupChunks;
  for (; run < chunks; run *= 2) {
    if (memory == AlignMemory::kAuto && kept(run) <= kRowBytes) break;
    const int64_t next = std::min(chunks, 2 * run);
    if (kept(next) + static_cast<double>(move_bytes(next)) >=
        kept(run) + static_cast<double>(move_bytes(run)))
      break;
  }
  return std::min(run, chunks);
}

}  // namespace unrolled
