// The best path by tiles of frames and pairs in float32: what a tile reads and writes.
#pragma once

#include <cstdint>

namespace unrolled {

inline constexpr int64_t kAlignTileFrames = 64;
inline constexpr int64_t kAlignMaxVectors = 8;
// A flow has room for the lanes that are stored beyond its frames.
inline constexpr int64_t kAlignFlowSize = kAlignTileFrames + 16;

// A block of vectors * lanes pairs (as in align.h) over some frames. All values lie relative to an offset in
// double, the block's own, so that float32 keeps its digits however long the recording is.
struct AlignTile {
  int64_t frames;          // 1 .. kAlignTileFrames
  float *labels, *blanks;  // (vectors * lanes) of the frame before, replaced by those of the last frame
  double* offset;
  // (kAlignFlowSize) the label before the block's first, at the frame before each frame: -inf where there is
  // none. Brought to the block's offset from its own.
  float* inflow;
  double inflow_offset;
  float* outflow;             // (kAlignFlowSize) the same of the block's last label
  const float* blank_scores;  // (frames)
  // Either the scores of the classes, a row of C a frame, or for each class its kAlignTileFrames scores.
  const float* scores;
  int64_t C;
  const int32_t* classes;  // (vectors * lanes) class of each label; any beyond the last one
  const float* skip;  // (vectors * lanes) 0 where a label may follow the one before with no blank, else -inf
  // For each frame and vector three comparisons of the frame before, a bit a pair: the blank is better than
  // the label, the label before is better than the label, the label before is better than the blank. A frame
  // holds vectors * 3 * mask_bytes.
  uint8_t* moves;
};

struct AlignTileKernels {
  typedef void Function(const AlignTile&);

  int64_t lanes, mask_bytes;
  int64_t vectors;  // of a block that is quickest where there are many labels
  // Functions for 1 .. kAlignMaxVectors vectors, that keep no moves and that keep them.
  // From rows of up to row_classes classes (0: none; then the functions are null).
  int64_t row_classes;
  Function* from_rows[kAlignMaxVectors][2];
  Function* from_columns[kAlignMaxVectors][2];

  // rows (frames, stride) of C scores -> columns (C, kAlignTileFrames); columns has room for C rounded up to
  // lanes.
  void (*transpose)(int64_t frames, int64_t C, const float* rows, int64_t stride, float* columns);
};

}  // namespace unrolled
