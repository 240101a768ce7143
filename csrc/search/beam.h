// The prefixes that are in the running, side by side.
#pragma once

#include <cstdint>
#include <vector>

namespace unrolled::search {

template <class Real>
struct Beam {
  // Masses relative to a power of two in common: of the paths that end in the blank, in the last symbol, and
  // of both.
  std::vector<Real> blank, label, total;
  std::vector<int32_t> last;  // the last symbol, -1 of the empty prefix
  std::vector<int32_t> node;  // of the tree

  int64_t size() const { return static_cast<int64_t>(node.size()); }
  void clear() { blank.clear(), label.clear(), total.clear(), last.clear(), node.clear(); }
  void add(Real blank_mass, Real label_mass, Real total_mass, int32_t symbol, int32_t prefix) {
    blank.push_back(blank_mass), label.push_back(label_mass), total.push_back(total_mass);
    last.push_back(symbol), node.push_back(prefix);
  }
};

// Prefixes that are one symbol longer than one in the beam, by symbol, then by place.
template <class Real>
struct Candidates {
  std::vector<Real> mass;
  std::vector<int32_t> place, symbol;  // of the parent in the beam; the symbol's class
  std::vector<double> log_weight;      // what fusion adds for the symbol; empty without fusion

  int64_t size() const { return static_cast<int64_t>(mass.size()); }
  void clear() { mass.clear(), place.clear(), symbol.clear(), log_weight.clear(); }
};

template <class Real>
inline Real merged(Real a, Real b, bool merge_max) {
  return merge_max ? (a > b ? a : b) : a + b;
}

}  // namespace unrolled::search
