// The scores of an item as tiles read them.
#pragma once

#include <cstdint>

#include "kernels/align_tile.h"
#include "memory.h"
#include "ops/align_blocks.h"
#include "ops/align_item.h"

namespace unrolled {

// Which classes the target uses, and by which number a tile knows each.
class AlignClasses {
 public:
  // pairs: room for the labels of all blocks.
  AlignClasses(const AlignItem<float>& item, int64_t pairs, const AlignTileKernels& kernel);

  bool from_rows() const { return from_rows_; }
  bool is_sparse() const { return used_count_ < C_; }
  int64_t count() const { return used_count_; }  // of the classes in use
  const int32_t* used() const { return used_.data(); }
  const int32_t* of_labels() const { return of_labels_.data(); }

 private:
  int64_t C_, used_count_;
  bool from_rows_;
  Buffer<int32_t> used_, of_labels_;
};

// The scores of one group of chunks.
class AlignScores {
 public:
  AlignScores(const AlignItem<float>& item, const AlignClasses& classes, const AlignTileKernels& kernel);

  void read(int64_t first_frame, int64_t end_frame);
  // Of chunk `i` of the group.
  void set(int64_t i, AlignTile& tile) const;

 private:
  void read_columns(int64_t i, int64_t frames);

  const AlignItem<float>& item_;
  const AlignClasses& classes_;
  const AlignTileKernels& kernel_;
  int64_t first_frame_ = 0, column_size_;
  Buffer<float> columns_, rows_, blanks_;
};

}  // namespace unrolled
