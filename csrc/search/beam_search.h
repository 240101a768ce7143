// CTC prefix beam search over the emissions of one utterance, all at once or chunk by chunk.
#pragma once

#include <cstdint>
#include <vector>

#include "interrupt.h"
#include "search/emissions.h"
#include "search/fusion.h"
#include "search/prefix_search.h"

namespace unrolled::search {

struct Hypothesis {
  std::vector<int32_t> tokens;
  double score, acoustic;  // natural logs
  FusionScores fusion;
};

// A search that is under way. Real is the precision of the masses.
template <class Real>
class BeamStream {
 public:
  BeamStream(const BeamSettings& settings, const Fusion* fusion)
      : blank_(settings.blank),
        least_(bound_in<Real>(settings.token_min_logp)),
        runs_python_(fusion && fusion->needs_python()),
        search_(settings, fusion) {}

  // Throws std::invalid_argument where the emissions are none; nothing of the chunk is then taken.
  template <class Score>
  void push(const EmissionRows<Score>& rows, Interrupt& interrupt);
  // The best prefixes so far, best first; `finish` scores the last word and the end. There are none where
  // fusion forbids every end.
  std::vector<Hypothesis> best(int64_t count, bool finish) const;
  // How many leading symbols all prefixes in the beam share.
  int64_t stable() const { return search_.tree().depth(search_.tree().common(search_.beam().nodes())); }
  int64_t frames() const { return frames_; }
  int64_t prefixes() const { return search_.tree().size(); }  // that are remembered
  // Back to the beginning; memory is kept.
  void reset();

 private:
  std::vector<double> scores(const std::vector<double>& ends) const;
  Hypothesis hypothesis(std::size_t place, double score, double end, bool finish) const;

  int64_t blank_;
  Real least_;  // score of a symbol that is followed
  bool runs_python_;
  PrefixSearch<Real> search_;
  ReadableRows<Real> rows_;
  int64_t frames_ = 0;
};

}  // namespace unrolled::search
