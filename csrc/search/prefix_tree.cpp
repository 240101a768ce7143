#include "search/prefix_tree.h"

#include <limits>
#include <stdexcept>

namespace unrolled::search {

void PrefixTree::clear() { nodes_.assign(1, {kNone, kNone, kNone, kNone, 0, kNone}); }

int32_t PrefixTree::find_child(int32_t node, int32_t symbol) const {
  int32_t child = at(node).first_child;
  while (child != kNone && at(child).symbol != symbol) child = at(child).next_sibling;
  return child;
}

int32_t PrefixTree::add_child(int32_t node, int32_t symbol) {
  if (size() >= std::numeric_limits<int32_t>::max()) {
    throw std::length_error("the search has met 2^31 prefixes: give beam_width, or lower it");
  }
  const auto child = static_cast<int32_t>(size());
  nodes_.push_back({node, symbol, kNone, at(node).first_child, at(node).depth + 1, kNone});
  at(node).first_child = child;
  return child;
}

void PrefixTree::read(int32_t node, int32_t* tokens) const {
  for (; node != kRoot; node = parent(node)) tokens[depth(node) - 1] = symbol(node);
}

int32_t PrefixTree::common(std::span<const int32_t> nodes) const {
  if (nodes.empty()) return kRoot;
  int32_t shared = nodes[0];
  for (int32_t node : nodes) {
    while (depth(node) > depth(shared)) node = parent(node);
    while (depth(shared) > depth(node)) shared = parent(shared);
    while (node != shared) node = parent(node), shared = parent(shared);
  }
  return shared;
}

std::vector<int32_t> PrefixTree::collect(std::span<int32_t> nodes) {
  std::vector<int32_t> number(nodes_.size(), kNone), kept;
  for (int32_t node : nodes) {
    for (; node != kNone && number[static_cast<std::size_t>(node)] == kNone; node = parent(node)) {
      number[static_cast<std::size_t>(node)] = 0;
    }
  }
  number[kRoot] = 0;
  for (int32_t node = 0; node < size(); ++node) {
    if (number[static_cast<std::size_t>(node)] == kNone) continue;
    number[static_cast<std::size_t>(node)] = static_cast<int32_t>(kept.size());
    kept.push_back(node);
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    Node node = at(kept[i]);
    node.first_child = node.next_sibling = kNone;
    if (node.parent != kNone) {
      node.parent = number[static_cast<std::size_t>(node.parent)];
      Node& parent = at(node.parent);
      node.next_sibling = parent.first_child;
      parent.first_child = static_cast<int32_t>(i);
    }
    nodes_[i] = node;
  }
  nodes_.resize(kept.size());
  for (int32_t& node : nodes) node = number[static_cast<std::size_t>(node)];
  return kept;
}

}  // namespace unrolled::search
