// The prefixes that a search has met, as a tree: each stands for one sequence of symbols, and for good.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace unrolled::search {

class PrefixTree {
 public:
  static constexpr int32_t kRoot = 0, kNone = -1;

  PrefixTree() { clear(); }
  void clear();  // the empty prefix alone

  int64_t size() const { return static_cast<int64_t>(nodes_.size()); }
  int32_t parent(int32_t node) const { return at(node).parent; }
  int32_t symbol(int32_t node) const { return at(node).symbol; }
  int32_t depth(int32_t node) const;
  bool has_children(int32_t node) const { return at(node).first_child != kNone; }

  // The prefix with one more symbol: kNone where it has not been met.
  int32_t find_child(int32_t node, int32_t symbol) const {
    int32_t child = at(node).first_child;
    while (child != kNone && at(child).symbol != symbol) child = at(child).next_sibling;
    return child;
  }
  int32_t add_child(int32_t node, int32_t symbol) {
    const auto child = static_cast<int32_t>(nodes_.size());
    if (nodes_.size() == nodes_.capacity()) [[unlikely]] {
      grow();
    }
    nodes_.push_back({node, symbol, kNone, std::exchange(at(node).first_child, child)});
    return child;
  }
  // For a find_child that comes soon.
  void prefetch(int32_t node) const { __builtin_prefetch(&at(node)); }
  void prefetch_child(int32_t node) const {
    if (has_children(node)) __builtin_prefetch(&at(at(node).first_child));
  }

  // The symbols of a prefix; there are as many tokens as it is deep.
  void read(int32_t node, std::span<int32_t> tokens) const;
  // The longest prefix that all of them begin with.
  int32_t common(std::span<const int32_t> nodes) const;

  // Forgets all prefixes but those in `nodes` and those they begin with; `nodes` get their new numbers.
  // Returns the old number of each that is left: a parent stays before its children.
  std::vector<int32_t> collect(std::span<int32_t> nodes);

 private:
  struct Node {
    int32_t parent, symbol, first_child, next_sibling;
  };

  void grow();

  Node& at(int32_t node) { return nodes_[static_cast<std::size_t>(node)]; }
  const Node& at(int32_t node) const { return nodes_[static_cast<std::size_t>(node)]; }

  std::vector<Node> nodes_;
};

}  // namespace unrolled::search
