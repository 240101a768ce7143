// The best path through the trellis of a target (Viterbi 1967; for CTC Graves et al. 2006): rows of states.
#pragma once

#include <cstdint>

namespace unrolled {

// Pair i is the blank before label i and label i itself: states 2 i and 2 i + 1. The pair after the last
// label is the last blank alone. Values are log probabilities of the best way into a state, in double; -inf
// where there is none.
struct AlignRow {
  double* labels;
  double* blanks;
};

// Where a state was best entered from, and the tie rule: a skip if it is strictly the best, else a step if it
// is better than to stay, else a stay. A byte a pair: bits 0-1 for the label, bits 2-3 for the blank.
enum AlignMove : uint8_t { kAlignStay = 0, kAlignStep = 1, kAlignSkip = 2 };

template <class Real>
struct AlignRowKernels {
  int64_t lanes;  // rows may be written up to this many pairs beyond their end

  // One frame, pairs first <= i < last. scores: the frame's (C); classes (last): of each label, 0 past the
  // last one. skip: 0 where label i may follow label i - 1 with no blank between, else -inf. blank: its score
  // in the frame; leave_out: log weight of passing over a label from blank to blank. `from` is read at first
  // - 1 as well. moves (from pair `first` on) or null.
  void (*step)(int64_t first, int64_t last, const Real* scores, const int32_t* classes, const double* skip,
               double blank, double leave_out, AlignRow from, AlignRow to, uint8_t* moves);

  // Whether x (n) holds nothing but numbers and -inf.
  bool (*are_scores)(int64_t n, const Real* x);
};

}  // namespace unrolled
