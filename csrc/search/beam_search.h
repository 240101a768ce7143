// CTC prefix beam search over the emissions of one utterance, all at once or chunk by chunk.
//
// A prefix h is a sequence of symbols without blanks, its mass m(h) the sum (or the maximum) over the paths
// that collapse to it, its weight b(h) what language model, lexicon and hotwords add, a function of h alone.
// The search carries m(h) exp(b(h)), which obeys the recursion of m(h) with emissions that are weighted at
// each new symbol, in plain probabilities with a power of two in common. After each frame the beam is a
// list: prefixes that were in it before, in their order, then new ones by symbol, then by their parent's
// place. Where masses tie at the cut, those that come first in this order are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "interrupt.h"
#include "search/emissions.h"
#include "search/fusion.h"

namespace unrolled::search {

struct BeamSettings {
  int64_t classes, blank;
  int64_t beam_width;   // 0: all prefixes
  int64_t token_top_k;  // 0: all symbols
  double token_min_logp, beam_prune_logp;
  bool merge_max;
};

struct Hypothesis {
  std::vector<int32_t> tokens;
  double score, acoustic;  // natural logs
  FusionScores fusion;
};

// A search that is under way. Real is the precision of the masses.
template <class Real>
class BeamStream {
 public:
  BeamStream(const BeamSettings& settings, const Fusion* fusion);
  ~BeamStream();

  // Throws std::invalid_argument where the emissions are none; nothing of the chunk is then taken.
  template <class Score>
  void push(const EmissionRows<Score>& rows, Interrupt& interrupt);
  // The best prefixes so far, best first; `finish` scores the last word and the end. There are none where
  // fusion forbids every end.
  std::vector<Hypothesis> best(int64_t count, bool finish);
  // How many leading symbols all prefixes in the beam share.
  int64_t stable() const;
  int64_t frames() const;
  // Back to the beginning; memory is kept.
  void reset();

 private:
  class Search;
  std::unique_ptr<Search> search_;
};

}  // namespace unrolled::search
