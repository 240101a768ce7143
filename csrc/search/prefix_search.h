// The prefix beam search itself, a frame at a time.
//
// A prefix h is a sequence of symbols without blanks, its mass m(h) the sum (or the maximum) over the paths
// that collapse to it, its weight b(h) what language model, lexicon and hotwords add, a function of h alone.
// The search carries m(h) exp(b(h)), which obeys the recursion of m(h) with emissions that are weighted at
// each new symbol, in plain probabilities with a power of two in common.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "search/beam.h"
#include "search/excluded_pairs.h"
#include "search/frame_symbols.h"
#include "search/node_weights.h"
#include "search/prefix_tree.h"
#include "search/weighted_candidates.h"

namespace unrolled::search {

struct BeamSettings {
  int64_t classes, blank;
  int64_t beam_width;   // 0: all prefixes
  int64_t token_top_k;  // 0: all symbols
  double token_min_logp, beam_prune_logp;
  bool merge_max;
};

// After each frame the beam is a list: prefixes that were in it before, in their order, then new ones by
// symbol, then by their parent's place. Where masses tie at the cut, those that come first in this order are
// kept. Real is the precision of the masses.
template <class Real>
class PrefixSearch {
 public:
  PrefixSearch(const BeamSettings& settings, const Fusion* fusion);
  void reset();

  void step(const FrameScores<Real>& frame);

  const Beam<Real>& beam() const { return beam_; }
  const PrefixTree& tree() const { return tree_; }
  const NodeWeights& weights() const { return weights_; }
  FusionRun* run() const { return run_.get(); }                      // null without fusion
  int64_t pairs() const { return symbols_.count() * beam_.size(); }  // of the last frame, at most
  // Logarithm of what masses are relative to.
  double log_scale() const;

 private:
  typedef typename DecodeKernels<Real>::Range Range;
  typedef typename DecodeKernels<Real>::Cut Cut;

  // A prefix that has come back, and its place.
  struct Revived {
    int32_t node, place;
    bool operator<(const Revived& other) const { return node < other.node; }
  };

  bool advance();
  void advance_blank();
  Range stay();
  void find_candidates(Real least);
  void choose(Range stays, Real least);
  Real drop_later_ties(Cut cut, Real least_stay);
  void keep_stays(Real least, int64_t more);
  void add_chosen(int64_t count, Beam<Real>& to, const int32_t* places);
  int32_t enter(int32_t parent, int32_t symbol, int32_t candidate);
  void adopt_orphans(Beam<Real>& beam);
  Real floor_of(const Real* totals) const;
  void prune_by_credit();
  void collect();

  bool is_bounded() const { return settings_.beam_width > 0; }

  BeamSettings settings_;
  const Fusion* fusion_;
  const DecodeKernels<Real>& kernel_;
  Real prune_;  // the share of the best mass that a prefix must have
  std::unique_ptr<FusionRun> run_;
  PrefixTree tree_;
  NodeWeights weights_;
  FrameSymbols<Real> symbols_;
  ExcludedPairs excluded_;
  WeightedCandidates weighted_;
  Beam<Real> beam_, stays_, next_;
  std::vector<Real> steps_;      // factors of the last symbols, with fusion
  std::vector<int32_t> places_;  // where each prefix of the frame before went
  Candidates<Real> candidates_;
  int64_t candidate_count_ = 0;
  bool credit_ = false;  // whether some prefix may have any
  std::vector<Real> chosen_mass_;
  std::vector<int32_t> chosen_place_, chosen_number_;
  std::vector<Revived> revived_;
  bool has_labels_ = false;  // some path ends in a symbol
  Real most_ = 1;            // the largest total
  double log_scale_ = 0;     // masses are relative to exp(log_scale_) 2^exponent_
  int64_t exponent_ = 0, collect_at_ = 0;
};

}  // namespace unrolled::search
