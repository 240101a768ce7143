#include "search/weighted_candidates.h"

#include <cmath>

#include "search/candidates.h"

namespace unrolled::search {

void WeightedCandidates::find(const Beam<double>& beam, const FrameSymbols<double>& symbols,
                              const ExcludedPairs& excluded, const PrefixTree& tree,
                              const NodeWeights& weights, FusionRun& run, int32_t blank, double least,
                              Candidates<double>& found) {
  Candidates<double> pairs;
  find_candidates(beam, symbols, excluded, blank, least * std::exp(-run.upper_bound()), pairs);
  const auto count = static_cast<std::size_t>(pairs.size());
  states_.resize(count), tokens_.resize(count), log_weights_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    states_[i] = weights.of(beam.node[static_cast<std::size_t>(pairs.place[i])]).state;
    tokens_[i] = pairs.symbol[i];
  }
  if (count > 0) run.weigh(states_, tokens_, log_weights_.data());
  for (std::size_t i = 0; i < count; ++i) {
    const int32_t node = beam.node[static_cast<std::size_t>(pairs.place[i])];
    const int32_t child = tree.find_child(node, pairs.symbol[i]);
    const double log_weight = child == PrefixTree::kNone ? log_weights_[i] : weights.of(child).log_step;
    const double mass = pairs.mass[i] * std::exp(log_weight);
    if (!(mass > 0) || mass < least) continue;
    found.mass.push_back(mass);
    found.place.push_back(pairs.place[i]);
    found.symbol.push_back(pairs.symbol[i]);
    found.log_weight.push_back(log_weight);
  }
}

}  // namespace unrolled::search
