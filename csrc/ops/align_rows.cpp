#include "ops/align_rows.h"

#include <cmath>
#include <optional>
#include <utility>

#include "dispatch.h"
#include "memory.h"

namespace unrolled {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kFullBytes = int64_t{1} << 22;  // below, back-pointers of all frames are kept
constexpr int64_t kPollFrames = 32;

// The pairs that a path may stand in at frame t: those that the ends and the band leave.
template <class Real>
PairRange allowed_pairs(const AlignItem<Real>& item, int64_t t) {
  PairRange r = reachable_pairs(item.T, item.L, t);
  if (item.options.band == 0) return r;
  // Label i has its place at frame (i + 1/2) T / L - 1/2.
  const double pace = static_cast<double>(item.L) / static_cast<double>(item.T);
  const auto place = [&](int64_t frame) { return (static_cast<double>(frame) + 0.5) * pace - 0.5; };
  r.first = std::max(r.first, static_cast<int64_t>(std::ceil(place(t - item.options.band))));
  r.last = std::min(r.last, static_cast<int64_t>(std::floor(place(t + item.options.band))) + 1);
  return r;
}

// Rows are -inf on both sides of what they hold: lanes run beyond their ends.
class Row {
 public:
  Row(int64_t pairs, int64_t lanes) : lanes_(lanes), memory_(2 * stride(pairs, lanes)) {
    std::fill_n(memory_.data(), 2 * stride(pairs, lanes), -kInf);
    row_ = {memory_.data() + lanes, memory_.data() + stride(pairs, lanes) + lanes};
  }
  AlignRow get() const { return row_; }

  void close(PairRange held) {
    for (double* values : {row_.labels, row_.blanks}) {
      if (held.first > 0) values[held.first - 1] = -kInf;
      std::fill_n(values + held.last + 1, lanes_ + 1, -kInf);
    }
  }

 private:
  static int64_t stride(int64_t pairs, int64_t lanes) { return pairs + 3 * lanes + 2; }

  int64_t lanes_;
  Buffer<double> memory_;
  AlignRow row_;
};

template <class Real>
class RowAligner {
 public:
  RowAligner(const AlignItem<Real>& item, int32_t* states, Interrupt& interrupt)
      : item_(item),
        states_(states),
        interrupt_(interrupt),
        kernel_(kernels<Real>().align_row),
        rows_{Row(item.L + 1, kernel_.lanes), Row(item.L + 1, kernel_.lanes)},
        classes_(item.L + 1 + kernel_.lanes),
        skip_(item.L + 1 + kernel_.lanes),
        run_(frames_of_run()),
        runs_((item.T + run_ - 1) / run_) {
    std::fill_n(classes_.data(), item.L + 1 + kernel_.lanes, 0);
    std::fill_n(skip_.data(), item.L + 1 + kernel_.lanes, -kInf);
    for (int64_t i = 0; i < item.L; ++i) {
      classes_[i] = static_cast<int32_t>(item.target[i]);
      if (item.may_skip_to(i)) skip_[i] = 0;
    }
  }

  bool align() {
    Buffer<double> checkpoints(checkpoint_begin(runs_));
    for (int64_t run = 0; run < runs_ - 1; ++run) {
      save_checkpoint(run, checkpoints.data());
      if (!forward(run, std::nullopt, nullptr)) return false;
    }
    Buffer<uint8_t> moves(run_ * moves_stride());
    if (!forward(runs_ - 1, std::nullopt, moves.data())) return false;
    const int64_t L = item_.L;
    const double label = L > 0 ? from_->get().labels[L - 1] : -kInf, blank = from_->get().blanks[L];
    if (std::max(label, blank) == -kInf) return false;
    PairState state = trace(runs_ - 1, std::nullopt, last_state(L, label, blank), moves.data());
    for (int64_t run = runs_ - 2; run >= 0; --run) {
      load_checkpoint(run, checkpoints.data());
      if (!forward(run, state, moves.data())) return false;
      state = trace(run, state.pair, state, moves.data());
    }
    return true;
  }

 private:
  int64_t begin(int64_t run) const { return run * run_; }
  int64_t end(int64_t run) const { return std::min(item_.T, (run + 1) * run_); }
  int64_t moves_stride() const { return std::min(runs_ > 1 ? run_ : item_.L, item_.L) + 1 + kernel_.lanes; }

  // Rows kept and back-pointers of one run take about the same memory.
  int64_t frames_of_run() const {
    const double pairs = static_cast<double>(item_.L + 1), T = static_cast<double>(item_.T);
    if (item_.options.memory == AlignMemory::kFull) return item_.T;
    if (item_.options.memory == AlignMemory::kAuto && pairs * T <= kFullBytes) return item_.T;
    int64_t frames = 64;
    const auto width = [&](double f) { return std::min(pairs, f); };
    while (frames < item_.T && static_cast<double>(frames) * width(static_cast<double>(frames)) <
                                   16 * pairs * T / static_cast<double>(frames))
      frames *= 2;
    return std::min(frames, item_.T);
  }

  // What of frame t a path can have come through that stands in pair `last` at the end of the run.
  PairRange range(int64_t run, int64_t t, std::optional<int64_t> last) const {
    PairRange r = allowed_pairs(item_, t);
    if (!last) return r;
    return {std::max(r.first, *last - (end(run) - 1 - t)), std::min(r.last, *last)};
  }

  // Leaves the row of the run's last frame in *from_.
  bool forward(int64_t run, std::optional<PairState> last, uint8_t* moves) {
    const auto last_pair = last ? std::optional(last->pair) : std::nullopt;
    for (int64_t t = begin(run); t < end(run); ++t) {
      if (t % kPollFrames == 0 && interrupt_.requested()) return false;
      const PairRange r = range(run, t, last_pair);
      const Real* scores = item_.scores + t * item_.C;
      if (t == 0) {
        start(scores);
      } else {
        uint8_t* to = moves ? moves + (t - begin(run)) * moves_stride() : nullptr;
        kernel_.step(r.first, r.last + 1, scores, classes_.data(), skip_.data(), item_.blank_score(t),
                     -item_.options.skip_penalty, from_->get(), to_->get(), to);
        std::swap(from_, to_);
      }
      from_->close(r);
    }
    return true;
  }

  void start(const Real* scores) {
    from_->get().blanks[0] = item_.blank_score(0);
    if (item_.L > 0) from_->get().labels[0] = static_cast<double>(scores[item_.target[0]]);
  }

  // From `state` at the run's last frame: returns the state at the frame before its first.
  PairState trace(int64_t run, std::optional<int64_t> last, PairState state, const uint8_t* moves) {
    for (int64_t t = end(run) - 1; t >= begin(run); --t) {
      states_[t] = state_number(state, item_.has_blanks());
      if (t == 0) break;
      const int both = moves[(t - begin(run)) * moves_stride() + state.pair - range(run, t, last).first];
      const int move = state.label ? both & 3 : both >> 2;
      if (move == kAlignSkip) --state.pair;
      if (move == kAlignStep) state = {state.pair - !state.label, !state.label};
    }
    return state;
  }

  // The row before the run's first frame, labels and blanks of the pairs it holds.
  PairRange checkpoint_range(int64_t run) const { return allowed_pairs(item_, begin(run) - 1); }
  int64_t checkpoint_begin(int64_t run) const {
    int64_t size = 0;
    for (int64_t r = 1; r < run; ++r) size += 2 * (checkpoint_range(r).last - checkpoint_range(r).first + 1);
    return size;
  }
  void save_checkpoint(int64_t run, double* checkpoints) { copy_checkpoint(run, checkpoints, true); }
  void load_checkpoint(int64_t run, double* checkpoints) {
    copy_checkpoint(run, checkpoints, false);
    if (run > 0) from_->close(checkpoint_range(run));
  }
  void copy_checkpoint(int64_t run, double* checkpoints, bool save) {
    if (run == 0) return;
    const PairRange r = checkpoint_range(run);
    const int64_t count = r.last - r.first + 1;
    double* saved = checkpoints + checkpoint_begin(run);
    for (double* values : {from_->get().labels + r.first, from_->get().blanks + r.first}) {
      std::copy_n(save ? values : saved, count, save ? saved : values);
      saved += count;
    }
  }

  const AlignItem<Real>& item_;
  int32_t* states_;
  Interrupt& interrupt_;
  const AlignRowKernels<Real>& kernel_;
  Row rows_[2];
  Row *from_ = rows_, *to_ = rows_ + 1;
  Buffer<int32_t> classes_;
  Buffer<double> skip_;
  int64_t run_, runs_;
};

}  // namespace

template <class Real>
bool align_rows(const AlignItem<Real>& item, int32_t* states, Interrupt& interrupt) {
  return RowAligner<Real>(item, states, interrupt).align();
}

template bool align_rows(const AlignItem<float>&, int32_t*, Interrupt&);
template bool align_rows(const AlignItem<double>&, int32_t*, Interrupt&);

}  // namespace unrolled
