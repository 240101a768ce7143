#include "search/weighted_candidates.h"

#include <algorithm>
#include <cmath>

namespace unrolled::search {
namespace {

constexpr double kRounding = 1 + 1e-12;  // a bound may be met exactly
constexpr double kLargestRaise = 1e250;  // products with masses stay finite

}  // namespace

void WeightedCandidates::start(const FusionRun& run) {
  const auto weighted = run.weighted();
  const auto bounds = run.upper_bounds();
  weighted_.assign(weighted.begin(), weighted.end());
  raises_.assign(bounds.size(), 1.0);
  for (std::size_t c = 0; c < bounds.size(); ++c) {
    if (weighted_[c]) raises_[c] = std::min(std::exp(bounds[c]) * kRounding, kLargestRaise);
  }
  reserve(raised_, static_cast<int64_t>(bounds.size()));
}

int64_t WeightedCandidates::find(Beam<double>& beam, const FrameSymbols<double>& frame,
                                 ExcludedPairs& excluded, const NodeWeights& weights, FusionRun& run,
                                 double least, double most, Candidates<double>& found) {
  const DecodeSymbols<double> symbols = frame.view();
  const auto pairs = static_cast<std::size_t>(bound_pairs(beam, symbols, excluded, least, most, found));
  weigh_pairs(beam, weights, run, pairs, found);
  return keep_pairs(beam, symbols, least, pairs, found);
}

// All pairs that reach `least` with the largest weight that their class can have.
int64_t WeightedCandidates::bound_pairs(Beam<double>& beam, const DecodeSymbols<double>& symbols,
                                        ExcludedPairs& excluded, double least, double most,
                                        Candidates<double>& found) {
  DecodeSymbols<double> raised = symbols;
  for (int64_t j = 0; j < symbols.count; ++j) {
    raised_[static_cast<std::size_t>(j)] =
        symbols.probability[j] * raises_[static_cast<std::size_t>(symbols.symbol[j])];
  }
  raised.probability = raised_.data();
  const int64_t pairs = symbols.count * beam.size();
  found.make_room(pairs);
  reserve(found.log_weight, pairs);
  return kernel_.extend(beam.view(), raised, excluded.view(), least, most, found.view());
}

// Asks for the weights of all pairs whose class has any, in one call.
void WeightedCandidates::weigh_pairs(const Beam<double>& beam, const NodeWeights& weights, FusionRun& run,
                                     std::size_t pairs, const Candidates<double>& found) {
  states_.clear(), tokens_.clear();
  state_of_.resize(static_cast<std::size_t>(beam.size()));
  for (std::size_t k = 0; k < state_of_.size(); ++k) state_of_[k] = weights.of(beam.node[k]).state;
  for (std::size_t i = 0; i < pairs; ++i) {
    if (!weighted_[static_cast<std::size_t>(found.symbol[i])]) continue;
    states_.push_back(state_of_[static_cast<std::size_t>(found.place[i])]);
    tokens_.push_back(found.symbol[i]);
  }
  log_weights_.resize(states_.size());
  if (!states_.empty()) run.weigh(states_, tokens_, log_weights_.data());
}

// Those that reach `least` with the weights that they have, moved together. Returns their number.
int64_t WeightedCandidates::keep_pairs(const Beam<double>& beam, const DecodeSymbols<double>& symbols,
                                       double least, std::size_t pairs, Candidates<double>& found) const {
  std::size_t kept = 0;
  const double* log_weight = log_weights_.data();
  double last = 0, last_factor = 1;  // most weights are 0, or that of a pair before
  for (std::size_t i = 0; i < pairs; ++i) {
    const int32_t symbol = found.symbol[i];
    const auto place = static_cast<std::size_t>(found.place[i]);
    double mass = found.mass[i], added = 0;
    if (weighted_[static_cast<std::size_t>(symbol)]) {
      added = *log_weight++;
      if (added != 0 && added != last) last = added, last_factor = std::exp(added);
      const double factor = added == 0 ? 1 : last_factor;
      mass = (beam.last[place] == symbol ? beam.blank[place] : beam.total[place]) *
             symbols.probability_of_class[symbol] * factor;
    }
    found.mass[kept] = mass;
    found.place[kept] = found.place[i];
    found.symbol[kept] = symbol;
    found.log_weight[kept] = added;
    kept += mass >= least;  // no jump: it could not be foreseen
  }
  std::fill_n(found.mass.begin() + static_cast<std::ptrdiff_t>(kept), kVectorRoom, 0.0);
  return static_cast<int64_t>(kept);
}

}  // namespace unrolled::search
