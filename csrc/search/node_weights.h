// What fusion adds to each prefix of a tree.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "search/fusion.h"

namespace unrolled::search {

struct NodeWeight {
  double step;        // factor of its last symbol
  double log_step;    // its logarithm
  double log_total;   // of all its symbols
  double uncredited;  // factor that takes back what of log_total may be taken back
  uint32_t state;     // of the run
};

class NodeWeights {
 public:
  void start(FusionRun& run) { weights_.assign(1, {1, 0, 0, 1, run.start()}); }
  // The next node of the tree.
  void add(FusionRun& run, int32_t parent, int32_t symbol, double log_step) {
    const NodeWeight& before = of(parent);
    const uint32_t state = run.advance(before.state, symbol);
    const double step = log_step == 0 ? 1 : std::exp(log_step), credit = run.open_credit(state);
    const double uncredited = credit == 0 ? 1 : std::exp(-credit);
    weights_.push_back({step, log_step, before.log_total + log_step, uncredited, state});
  }
  const NodeWeight& of(int32_t node) const { return weights_[static_cast<std::size_t>(node)]; }

  // Only those in `kept`, old numbers in order, are left.
  void retain(FusionRun& run, std::span<const int32_t> kept) {
    std::vector<uint32_t> states;
    for (const int32_t node : kept) states.push_back(of(node).state);
    run.retain(states);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      weights_[i] = of(kept[i]);
      weights_[i].state = states[i];
    }
    weights_.resize(kept.size());
  }

 private:
  std::vector<NodeWeight> weights_;
};

}  // namespace unrolled::search
