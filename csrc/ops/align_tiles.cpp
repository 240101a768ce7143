#include "ops/align_tiles.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "dispatch.h"
#include "memory.h"
#include "ops/align_blocks.h"
#include "ops/align_scores.h"
#include "ops/align_wave.h"

namespace unrolled {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr int64_t kChunks = AlignBlocks::kGroupChunks;
constexpr int64_t kPairsPerOperation = 256;  // pairs are cheap; below a millisecond threads do not pay

// Chunks first .. end - 1 are gone through, from the row before them.
struct Pass {
  int64_t first, end;
  PathEnd path;
  uint8_t* moves;      // back-pointers of all tiles, or null
  float* checkpoints;  // rows to keep, or null
};

class TileAligner {
 public:
  TileAligner(const AlignItem<float>& item, int32_t* states, Interrupt& interrupt)
      : item_(item),
        states_(states),
        interrupt_(interrupt),
        kernel_(kernels<float>().align_tile),
        cut_(item.T, item.L, kernel_, item.options.memory),
        classes_(item, cut_.blocks * cut_.width, kernel_),
        skip_(cut_.blocks * cut_.width),
        row_(cut_.blocks * block_size()),
        offsets_(cut_.blocks),
        move_begins_(cut_.run_chunks) {
    std::fill_n(skip_.data(), cut_.blocks * cut_.width, -kInf);
    for (int64_t i = 0; i < item.L; ++i) {
      if (item.may_skip_to(i)) skip_[i] = 0;
    }
  }

  bool align() {
    for (int64_t block = 0; block < cut_.blocks; ++block) clear_block(block);
    enter();
    const int64_t runs = cut_.runs();
    Buffer<uint8_t> moves(cut_.move_bytes(std::min(cut_.run_chunks, cut_.chunks)));
    if (runs == 1) {
      const Pass pass = {0, cut_.chunks, cut_.whole(), moves.data(), nullptr};
      if (!forward(pass) || !find_end()) return false;
      trace(pass);
      return true;
    }
    Buffer<float> checkpoints(checkpoint_begin(runs));
    if (!forward({0, cut_.chunks, cut_.whole(), nullptr, checkpoints.data()}) || !find_end()) return false;
    for (int64_t run = runs - 1; run >= 0; --run) {
      const int64_t first = run * cut_.run_chunks, end = cut_.run_end(run);
      const PathEnd path = {cut_.end_frame(end - 1), state_.pair, state_.pair};
      load_checkpoint(run, cut_.range(first, path).first, state_.pair / cut_.width, checkpoints.data());
      const Pass pass = {first, end, path, moves.data(), nullptr};
      if (!forward(pass)) return false;
      trace(pass);
    }
    return true;
  }

 private:
  struct Flow {
    float values[2][kAlignFlowSize];
    double offset;
  };

  int64_t block_size() const { return 2 * cut_.width; }
  float* labels(int64_t block) { return row_.data() + block * block_size(); }
  float* blanks(int64_t block) { return labels(block) + cut_.width; }

  void clear_block(int64_t block) {
    std::fill_n(labels(block), block_size(), -kInf);
    offsets_[block] = 0;
  }
  // As if a path had stood in the first blank before the first frame.
  void enter() { *blanks(0) = 0; }

  bool forward(const Pass& pass) {
    int64_t begin = 0;
    for (int64_t c = pass.first; pass.moves && c < pass.end; ++c) {
      move_begins_[c - pass.first] = begin;
      begin += cut_.range(c, pass.path).count() * cut_.tile_bytes;
    }
    Wave wave(cut_.groups(pass.end - pass.first), interrupt_);
    const int64_t pairs = (pass.end - pass.first) * kAlignTileFrames * (pass.path.most + 1);
    return wave.run(pairs / kPairsPerOperation, [&](int64_t group) { run_group(pass, group, wave); });
  }

  // The chunks of a group, block by block: what a block hands on to the next stays in the first cache.
  void run_group(const Pass& pass, int64_t group, Wave& wave) {
    const int64_t first = pass.first + group * kChunks, end = std::min(pass.end, first + kChunks);
    AlignScores scores(item_, classes_, kernel_);
    scores.read(cut_.first_frame(first), cut_.end_frame(end - 1));
    Flow flows[kChunks];
    for (Flow& flow : flows) {
      std::fill_n(flow.values[0], 2 * kAlignFlowSize, -kInf);
      flow.offset = 0;
    }
    const int64_t last = cut_.range(end - 1, pass.path).last;
    for (int64_t block = cut_.range(first, pass.path).first; block <= last; ++block) {
      if (!wave.wait_for_previous(group, block)) return;
      if (pass.checkpoints && first % cut_.run_chunks == 0)
        save_block(first / cut_.run_chunks, block, pass.checkpoints);
      for (int64_t c = first; c < end; ++c) run_block(pass, c, block, scores, c - first, flows[c - first]);
      wave.report(group, block + 1);
    }
  }

  void run_block(const Pass& pass, int64_t chunk, int64_t block, const AlignScores& scores, int64_t i,
                 Flow& flow) {
    const BlockRange range = cut_.range(chunk, pass.path);
    if (block < range.first || block > range.last) return;
    const int64_t begin = block * cut_.width;
    AlignTile tile = {.frames = cut_.end_frame(chunk) - cut_.first_frame(chunk),
                      .labels = labels(block),
                      .blanks = blanks(block),
                      .offset = offsets_.data() + block,
                      .inflow = flow.values[block % 2],
                      .inflow_offset = flow.offset,
                      .outflow = flow.values[1 - block % 2],
                      .blank_scores = nullptr,
                      .scores = nullptr,
                      .C = 0,
                      .classes = classes_.of_labels() + begin,
                      .skip = skip_.data() + begin,
                      .moves = pass.moves ? moves_of(pass, chunk, block) : nullptr};
    scores.set(i, tile);
    const auto& functions = classes_.from_rows() ? kernel_.from_rows : kernel_.from_columns;
    functions[cut_.vectors - 1][pass.moves != nullptr](tile);
    flow.offset = offsets_[block];
  }

  uint8_t* moves_of(const Pass& pass, int64_t chunk, int64_t block) const {
    return pass.moves + move_begins_[chunk - pass.first] +
           (block - cut_.range(chunk, pass.path).first) * cut_.tile_bytes;
  }

  // Sets state_ to the better of the two last states; false where neither can be reached.
  bool find_end() {
    const int64_t L = item_.L, w = cut_.width;
    const auto value = [&](const float* block_values, int64_t pair) {
      return static_cast<double>(block_values[pair % w]) + offsets_[pair / w];
    };
    const double label = value(labels((L - 1) / w), L - 1), blank = value(blanks(L / w), L);
    state_ = last_state(L, label, blank);
    return std::max(label, blank) > -std::numeric_limits<double>::infinity();
  }

  // Writes the states of the pass, from state_ at its last frame; leaves state_ at the frame before its
  // first.
  void trace(const Pass& pass) {
    const int64_t lanes = kernel_.lanes, mask = kernel_.mask_bytes, frame_bytes = cut_.vectors * 3 * mask;
    for (int64_t chunk = pass.end - 1; chunk >= pass.first; --chunk) {
      int64_t block = state_.pair / cut_.width, column = state_.pair % cut_.width;
      const uint8_t* tile = moves_of(pass, chunk, block);
      for (int64_t t = cut_.end_frame(chunk) - 1; t >= cut_.first_frame(chunk); --t) {
        states_[t] = state_number({block * cut_.width + column, state_.label}, item_.has_blanks());
        if (t == 0) return;
        const int64_t lane = column % lanes;
        const uint8_t* bits =
            tile + (t - cut_.first_frame(chunk)) * frame_bytes + column / lanes * 3 * mask + lane / 8;
        const auto is_set = [&](int64_t which) { return (bits[which * mask] >> (lane % 8)) & 1; };
        bool falls = false;
        if (state_.label) {
          falls = is_set(1) && is_set(2) && skip_[block * cut_.width + column] == 0;
          if (!falls && is_set(0)) state_.label = false;
        } else if (is_set(2)) {
          falls = state_.label = true;
        }
        if (!falls || --column >= 0) continue;
        column = cut_.width - 1;
        --block;
        tile -= cut_.tile_bytes;
      }
      state_.pair = block * cut_.width + column;
    }
  }

  // The blocks of the row before a run that the run reads and that are reached by then, each with its offset
  // as two floats' bytes at its end.
  BlockRange checkpoint_range(int64_t run) const {
    const int64_t chunk = run * cut_.run_chunks;
    return {cut_.range(chunk, cut_.whole()).first, cut_.range(chunk - 1, cut_.whole()).last};
  }
  int64_t saved_size() const { return block_size() + 2; }
  int64_t checkpoint_begin(int64_t run) const {
    int64_t size = 0;
    for (int64_t r = 1; r < run; ++r) size += checkpoint_range(r).count() * saved_size();
    return size;
  }
  void save_block(int64_t run, int64_t block, float* checkpoints) {
    const BlockRange range = checkpoint_range(run);
    if (run == 0 || block < range.first || block > range.last) return;
    float* to = checkpoints + checkpoint_begin(run) + (block - range.first) * saved_size();
    std::copy_n(labels(block), block_size(), to);
    std::memcpy(to + block_size(), offsets_.data() + block, sizeof(double));
  }
  // Blocks first .. last of the row.
  void load_checkpoint(int64_t run, int64_t first, int64_t last, const float* checkpoints) {
    const BlockRange saved = run > 0 ? checkpoint_range(run) : BlockRange{0, -1};
    const float* begin = checkpoints + checkpoint_begin(run);
    for (int64_t block = first; block <= last; ++block) {
      if (block < saved.first || block > saved.last) {
        clear_block(block);
        continue;
      }
      const float* from = begin + (block - saved.first) * saved_size();
      std::copy_n(from, block_size(), labels(block));
      std::memcpy(offsets_.data() + block, from + block_size(), sizeof(double));
    }
    if (run == 0) enter();
  }

  const AlignItem<float>& item_;
  int32_t* states_;
  Interrupt& interrupt_;
  const AlignTileKernels& kernel_;
  AlignBlocks cut_;
  AlignClasses classes_;
  Buffer<float> skip_, row_;  // of a block: its labels, then its blanks
  Buffer<double> offsets_;
  Buffer<int64_t> move_begins_;
  PairState state_ = {};
};

}  // namespace

bool fits_tiles(const AlignItem<float>& item) {
  return item.L > 0 && item.options.band == 0 && std::isinf(item.options.skip_penalty);
}

bool align_tiles(const AlignItem<float>& item, int32_t* states, Interrupt& interrupt) {
  return TileAligner(item, states, interrupt).align();
}

}  // namespace unrolled
