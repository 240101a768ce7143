// A prefix tree over sequences of symbols. Nodes are numbered breadth first, the root is 0, and the children
// of a node are neighbours in the order of their symbols.
#pragma once

#include <cstdint>
#include <vector>

#include "search/sequences.h"

namespace unrolled::search {

class Trie {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  Trie() : first_child_{1, 1} {}
  explicit Trie(const Sequences& sequences);

  uint32_t nodes() const { return static_cast<uint32_t>(first_child_.size()) - 1; }
  // kNone where no sequence goes on like this.
  uint32_t child(uint32_t node, int32_t symbol) const;
  uint32_t first_child(uint32_t node) const { return first_child_[node]; }
  uint32_t end_child(uint32_t node) const { return first_child_[node + 1]; }
  int32_t symbol(uint32_t node) const { return symbols_[node - 1]; }  // that leads to it; not of the root
  // The node where sequence i ends.
  uint32_t end(int64_t i) const { return ends_[static_cast<std::size_t>(i)]; }

 private:
  std::vector<uint32_t> first_child_;  // of each node, and one more
  std::vector<int32_t> symbols_;       // of the nodes after the root
  std::vector<uint32_t> ends_;
};

}  // namespace unrolled::search
