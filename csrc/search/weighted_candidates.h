// One frame's candidates, with what fusion adds to each.
#pragma once

#include "search/beam.h"
#include "search/excluded_pairs.h"
#include "search/frame_symbols.h"
#include "search/fusion.h"
#include "search/node_weights.h"
#include "search/prefix_tree.h"

namespace unrolled::search {

class WeightedCandidates {
 public:
  // All pairs that are not excluded with a weighted mass above 0 and not below `least`.
  void find(const Beam<double>& beam, const FrameSymbols<double>& symbols, const ExcludedPairs& excluded,
            const PrefixTree& tree, const NodeWeights& weights, FusionRun& run, int32_t blank, double least,
            Candidates<double>& found);

 private:
  std::vector<uint32_t> states_;
  std::vector<int32_t> tokens_;
  std::vector<double> log_weights_;
};

}  // namespace unrolled::search
