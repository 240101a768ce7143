#include "ops/align_scores.h"

namespace unrolled {
namespace {

constexpr int64_t kChunks = AlignBlocks::kGroupChunks, kFrames = kAlignTileFrames;
// Transposing a class that no label uses costs less than picking one that a label does use.
constexpr int64_t kWorthPicking = 4;

int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

}  // namespace

AlignClasses::AlignClasses(const AlignItem<float>& item, int64_t pairs, const AlignTileKernels& kernel)
    : C_(item.C),
      used_count_(item.C),
      from_rows_(item.C <= kernel.row_classes),
      used_(std::min(item.C, item.L)),
      of_labels_(pairs) {
  std::fill_n(of_labels_.data(), pairs, 0);
  for (int64_t i = 0; i < item.L; ++i) of_labels_[i] = static_cast<int32_t>(item.target[i]);
  if (from_rows_) return;
  Buffer<int32_t> number(item.C);
  std::fill_n(number.data(), item.C, -1);
  int32_t count = 0;
  for (int64_t i = 0; i < item.L; ++i) {
    int32_t& n = number[of_labels_[i]];
    if (n >= 0) continue;
    used_[count] = of_labels_[i];
    n = count++;
  }
  if (kWorthPicking * count > item.C) return;
  used_count_ = count;
  for (int64_t i = 0; i < item.L; ++i) of_labels_[i] = number[of_labels_[i]];
}

AlignScores::AlignScores(const AlignItem<float>& item, const AlignClasses& classes,
                         const AlignTileKernels& kernel)
    : item_(item),
      classes_(classes),
      kernel_(kernel),
      column_size_(classes.from_rows() ? 0 : round_up(classes.count(), kernel.lanes) * kFrames),
      columns_(kChunks * column_size_),
      rows_(!classes.from_rows() && classes.is_sparse() ? classes.count() * kFrames : 0),
      blanks_(kChunks * kFrames) {}

void AlignScores::read(int64_t first_frame, int64_t end_frame) {
  first_frame_ = first_frame;
  for (int64_t t = first_frame; t < end_frame; ++t)
    blanks_[t - first_frame] = static_cast<float>(item_.blank_score(t));
  if (classes_.from_rows()) return;
  for (int64_t i = 0; first_frame + i * kFrames < end_frame; ++i)
    read_columns(i, std::min(kFrames, end_frame - first_frame - i * kFrames));
}

void AlignScores::read_columns(int64_t i, int64_t frames) {
  const int64_t count = classes_.count();
  const float* scores = item_.scores + (first_frame_ + i * kFrames) * item_.C;
  float* columns = columns_.data() + i * column_size_;
  if (!classes_.is_sparse()) return kernel_.transpose(frames, count, scores, item_.C, columns);
  for (int64_t f = 0; f < frames; ++f) {
    for (int64_t c = 0; c < count; ++c) rows_[f * count + c] = scores[f * item_.C + classes_.used()[c]];
  }
  kernel_.transpose(frames, count, rows_.data(), count, columns);
}

void AlignScores::set(int64_t i, AlignTile& tile) const {
  tile.blank_scores = blanks_.data() + i * kFrames;
  tile.C = item_.C;
  tile.scores = classes_.from_rows() ? item_.scores + (first_frame_ + i * kFrames) * item_.C
                                     : columns_.data() + i * column_size_;
}

}  // namespace unrolled
