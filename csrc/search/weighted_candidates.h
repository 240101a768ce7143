// One frame's candidates, with what fusion adds to each.
#pragma once

#include <vector>

#include "search/beam.h"
#include "search/excluded_pairs.h"
#include "search/frame_symbols.h"
#include "search/fusion.h"
#include "search/node_weights.h"

namespace unrolled::search {

class WeightedCandidates {
 public:
  explicit WeightedCandidates(const DecodeKernels<double>& kernel) : kernel_(kernel) {}

  // What the classes may be given at most.
  void start(const FusionRun& run);
  // All pairs that are not excluded with a weighted mass >= least > 0, by symbol, then by place. most: the
  // largest total of the beam. Returns their number.
  int64_t find(Beam<double>& beam, const FrameSymbols<double>& symbols, ExcludedPairs& excluded,
               const NodeWeights& weights, FusionRun& run, double least, double most,
               Candidates<double>& found);

 private:
  int64_t bound_pairs(Beam<double>& beam, const DecodeSymbols<double>& symbols, ExcludedPairs& excluded,
                      double least, double most, Candidates<double>& found);
  void weigh_pairs(const Beam<double>& beam, const NodeWeights& weights, FusionRun& run, std::size_t pairs,
                   const Candidates<double>& found);
  int64_t keep_pairs(const Beam<double>& beam, const DecodeSymbols<double>& symbols, double least,
                     std::size_t pairs, Candidates<double>& found) const;

  const DecodeKernels<double>& kernel_;
  std::vector<uint8_t> weighted_;   // whether a class's weight may differ from 0
  std::vector<double> raises_;      // by which a class's mass may grow
  std::vector<double> raised_;      // probabilities of the frame's symbols
  std::vector<uint32_t> state_of_;  // of each place in the beam
  std::vector<uint32_t> states_;    // and tokens: pairs that are weighed
  std::vector<int32_t> tokens_;
  std::vector<double> log_weights_;
};

}  // namespace unrolled::search
