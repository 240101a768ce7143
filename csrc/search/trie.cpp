#include "search/trie.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace unrolled::search {
namespace {

// A node that waits for its children: the sorted sequences [begin, end) run through it, `depth` symbols deep.
struct Range {
  std::size_t begin, end, depth;
};

std::vector<int64_t> sorted_order(const Sequences& sequences) {
  std::vector<int64_t> order(static_cast<std::size_t>(sequences.size()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const auto x = sequences[a], y = sequences[b];
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
  });
  return order;
}

}  // namespace

Trie::Trie(const Sequences& sequences) : ends_(static_cast<std::size_t>(sequences.size())) {
  if (sequences.values.size() >= kNone) throw std::length_error("too many symbols for one trie");
  const std::vector<int64_t> order = sorted_order(sequences);
  std::vector<Range> level{{0, order.size(), 0}};
  first_child_ = {1};
  for (std::size_t node = 0; node < level.size(); ++node) {
    auto [at, end, depth] = level[node];
    for (; at < end && sequences[order[at]].size() == depth; ++at)
      ends_[static_cast<std::size_t>(order[at])] = static_cast<uint32_t>(node);
    while (at < end) {
      const int32_t symbol = sequences[order[at]][depth];
      const std::size_t begin = at;
      while (at < end && sequences[order[at]][depth] == symbol) ++at;
      level.push_back({begin, at, depth + 1});
      symbols_.push_back(symbol);
    }
    first_child_.push_back(static_cast<uint32_t>(level.size()));
  }
}

uint32_t Trie::child(uint32_t node, int32_t symbol) const {
  const auto begin = symbols_.begin() + (first_child(node) - 1),
             end = symbols_.begin() + (end_child(node) - 1);
  const auto found = std::lower_bound(begin, end, symbol);
  if (found == end || *found != symbol) return kNone;
  return static_cast<uint32_t>(found - symbols_.begin()) + 1;
}

}  // namespace unrolled::search
