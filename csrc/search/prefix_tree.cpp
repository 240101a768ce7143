#include "search/prefix_tree.h"

#include <limits>
#include <stdexcept>

namespace unrolled::search {
namespace {

constexpr std::size_t kFirstRoom = 1 << 10;

}  // namespace

void PrefixTree::clear() {
  nodes_.reserve(kFirstRoom);
  nodes_.assign(1, {kNone, kNone, kNone, kNone});
}

void PrefixTree::grow() {
  if (size() > std::numeric_limits<int32_t>::max() / 2) {
    throw std::length_error("the search has met 2^30 prefixes: give beam_width, or lower it");
  }
  nodes_.reserve(2 * nodes_.size());
}

int32_t PrefixTree::depth(int32_t node) const {
  int32_t count = 0;
  for (; node != kRoot; node = parent(node)) ++count;
  return count;
}

void PrefixTree::read(int32_t node, std::span<int32_t> tokens) const {
  for (auto to = tokens.rbegin(); to != tokens.rend(); ++to, node = parent(node)) *to = symbol(node);
}

// A parent's number is below its children's.
int32_t PrefixTree::common(std::span<const int32_t> nodes) const {
  if (nodes.empty()) return kRoot;
  int32_t shared = nodes[0];
  for (int32_t node : nodes) {
    while (node != shared) (node > shared ? node : shared) = parent(node > shared ? node : shared);
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
