#include "kernels/align_tile.h"

#include "kernels/align_lanes.h"
#include "kernels/class_lookup.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

constexpr float kInf = __builtin_huge_valf();
// States this far from the offset still have digits to spare; nearer ones are left as they are.
constexpr float kNear = 128;

// The scores of a block's labels, frame by frame: picked from the frame's row in two registers, ...
template <int kVectors>
class RowEmissions {
 public:
  explicit RowEmissions(const AlignTile& tile) : scores_(tile.scores), C_(tile.C) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) classes_[v] = load_lanes(tile.classes + v * kPairs);
  }

  struct Frame {
    ClassTable<1> table;
    const IntVec<float>* classes;
    UNROLLED_INLINE Scores get(int v) const { return table.get(classes[v]); }
  };
  UNROLLED_INLINE Frame of_frame(int64_t frame) const {
    return {ClassTable<1>(scores_ + frame * C_, C_), classes_};
  }

 private:
  const float* scores_;
  int64_t C_;
  IntVec<float> classes_[kVectors];
};

// ... or transposed beforehand from the columns of their classes.
template <int kVectors>
class ColumnEmissions {
 public:
  explicit ColumnEmissions(const AlignTile& tile) {
    for (int v = 0; v < kVectors; ++v) {
      const float* columns[kPairs];
#pragma GCC unroll 16
      for (int i = 0; i < kPairs; ++i)
        columns[i] = tile.scores + tile.classes[v * kPairs + i] * kAlignTileFrames;
      for (int64_t frame = 0; frame < tile.frames; frame += 4)
        transpose_four_frames(columns, frame, rows_ + frame * kRow + v * kPairs, kRow);
    }
  }

  struct Frame {
    const float* row;
    UNROLLED_INLINE Scores get(int v) const { return load(row + v * kPairs); }
  };
  UNROLLED_INLINE Frame of_frame(int64_t frame) const { return {rows_ + frame * kRow}; }

 private:
  static constexpr int64_t kRow = kVectors * kPairs;
  alignas(64) float rows_[kAlignTileFrames * kRow];
};

template <int kVectors>
UNROLLED_INLINE Scores largest_state(const AlignTile& tile) {
  Scores top = load(tile.labels);
  for (int v = 0; v < kVectors; ++v) {
    top = max(top, load(tile.labels + v * kPairs));
    top = max(top, load(tile.blanks + v * kPairs));
  }
  return top;
}

UNROLLED_INLINE float largest_inflow(const AlignTile& tile) {
  return largest<float>(tile.frames, tile.inflow);
}

// Moves the offset so that the best state of the block, or the best that comes in, is near 0. By whole
// numbers: what has few digits after the point stays exact, and ties stay ties.
template <int kVectors>
void rebase(const AlignTile& tile) {
  const float incoming = largest_inflow(tile);
  float top = max_lanes<float>(largest_state<kVectors>(tile));
  if (incoming > -kInf) {
    const float raised = incoming + static_cast<float>(tile.inflow_offset - *tile.offset);
    top = raised > top ? raised : top;
  }
  if (top > -kInf && (top > kNear || top < -kNear)) {
    const float shift = __builtin_rintf(top);
    *tile.offset += static_cast<double>(shift);
    for (int i = 0; i < kVectors; ++i) {
      store(tile.labels + i * kPairs, load(tile.labels + i * kPairs) - shift);
      store(tile.blanks + i * kPairs, load(tile.blanks + i * kPairs) - shift);
    }
  }
  if (incoming == -kInf) return;
  const float difference = static_cast<float>(tile.inflow_offset - *tile.offset);
  for (int64_t f = 0; f < tile.frames; f += kPairs)
    store(tile.inflow + f, load(tile.inflow + f) + difference);
}

template <int kVectors, template <int> class Emissions, bool kKeep>
void run_tile(const AlignTile& tile) {
  rebase<kVectors>(tile);
  Emissions<kVectors> emissions(tile);
  Scores labels[kVectors], blanks[kVectors];
  SkipArcs arcs[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    labels[v] = load(tile.labels + v * kPairs);
    blanks[v] = load(tile.blanks + v * kPairs);
    arcs[v] = load_skip_arcs(tile.skip + v * kPairs);
  }
  // Copies: a store of bits may change anything, as far as the compiler knows.
  const float *blank_scores = tile.blank_scores, *inflow = tile.inflow;
  float* outflow = tile.outflow;
  uint8_t* moves = tile.moves;
  const int64_t frames = tile.frames;
  for (int64_t frame = 0; frame < frames; ++frame) {
    const auto scores = emissions.of_frame(frame);
    const Scores blank = broadcast(blank_scores[frame]);
    Scores left = broadcast(inflow[frame]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const Scores label = labels[v], before = lanes_before(left, label);
      // The best way into the blank, from itself or the label before, is also the best into the label from
      // there.
      const Scores entered = max(before, blanks[v]);
      if constexpr (kKeep) {
        store_bits(moves, greater(blanks[v], label));
        store_bits(moves + kMaskBytes, greater(before, label));
        store_bits(moves + 2 * kMaskBytes, greater(before, blanks[v]));
        moves += 3 * kMaskBytes;
      }
      labels[v] = max(label, choose(arcs[v], entered, blanks[v])) + scores.get(v);
      blanks[v] = entered + blank;
      left = label;
    }
    store(outflow + frame, last_lane_first(left));
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    store(tile.labels + v * kPairs, labels[v]);
    store(tile.blanks + v * kPairs, blanks[v]);
  }
}

void transpose(int64_t frames, int64_t C, const float* rows, int64_t stride, float* columns) {
  for (int64_t f = 0; f < frames; f += kPairs) {
    for (int64_t c = 0; c < C; c += kPairs) {
      const auto row = [&](int i) {
        const int64_t frame = f + i < frames ? f + i : frames - 1;  // what lies past the end is not read
        return load_partial<float>(rows + frame * stride + c, C - c, 0);
      };
      transpose_block<float>(row, columns + c * kAlignTileFrames + f, kAlignTileFrames);
    }
  }
}

template <int kVectors>
void add_functions(AlignTileKernels& k) {
  if constexpr (kPairs == 16) {
    k.from_rows[kVectors - 1][0] = run_tile<kVectors, RowEmissions, false>;
    k.from_rows[kVectors - 1][1] = run_tile<kVectors, RowEmissions, true>;
  }
  k.from_columns[kVectors - 1][0] = run_tile<kVectors, ColumnEmissions, false>;
  k.from_columns[kVectors - 1][1] = run_tile<kVectors, ColumnEmissions, true>;
  if constexpr (kVectors > 1) add_functions<kVectors - 1>(k);
}

}  // namespace

AlignTileKernels align_tile_kernels() {
  AlignTileKernels k = {kPairs, kMaskBytes, kPairs == 16 ? 8 : 6, kPairs == 16 ? 2 * kPairs : 0, {},
                        {},     transpose};
  add_functions<static_cast<int>(kAlignMaxVectors)>(k);
  return k;
}

}  // namespace unrolled::UNROLLED_LEVEL
