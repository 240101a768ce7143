// The prefixes that are in the running, side by side, and those that may join them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/decode.h"

namespace unrolled::search {

// Room that kernels want behind the last element: a whole vector.
inline constexpr int64_t kVectorRoom = 16;

// At least n elements and that room; what was in the array is kept.
template <class T>
inline void reserve(std::vector<T>& array, int64_t n) {
  const auto needed = static_cast<std::size_t>(n + kVectorRoom);
  if (array.size() < needed) [[unlikely]] {
    array.resize(needed + needed / 2);
  }
}

// The arrays are longer than the beam: `size` prefixes count.
template <class Real>
class Beam {
 public:
  std::vector<Real> blank, label, total;  // masses, as DecodeBeam has them
  std::vector<int32_t> last, parent, node;

  int64_t size() const { return size_; }
  std::span<const int32_t> nodes() const { return {node.data(), static_cast<std::size_t>(size_)}; }
  std::span<int32_t> nodes() { return {node.data(), static_cast<std::size_t>(size_)}; }

  void make_room(int64_t n) {
    reserve(blank, n), reserve(label, n), reserve(total, n);
    reserve(last, n), reserve(parent, n), reserve(node, n);
  }
  // Whose masses and numbers a kernel has written.
  void set_size(int64_t n) { size_ = n; }
  void add(Real mass, int32_t symbol, int32_t parent_place, int32_t prefix) {
    const auto k = static_cast<std::size_t>(size_++);
    blank[k] = 0, label[k] = total[k] = mass;
    last[k] = symbol, parent[k] = parent_place, node[k] = prefix;
  }
  // What stands behind the last prefix has no mass.
  void pad() {
    for (auto* masses : {&blank, &label, &total}) std::fill_n(masses->data() + size_, kVectorRoom, Real(0));
    for (auto* numbers : {&last, &parent}) std::fill_n(numbers->data() + size_, kVectorRoom, -1);
  }
  // Of the same prefixes.
  void swap_masses(Beam& other) { blank.swap(other.blank), label.swap(other.label), total.swap(other.total); }

  DecodeBeam<Real> view() {
    return {size_, blank.data(), label.data(), total.data(), last.data(), parent.data(), node.data()};
  }

 private:
  int64_t size_ = 0;
};

// Prefixes that are one symbol longer than one in the beam, by symbol, then by place.
template <class Real>
struct Candidates {
  std::vector<Real> mass;
  std::vector<int32_t> place, symbol;  // of the parent in the beam; the symbol's class
  std::vector<double> log_weight;      // what fusion adds for the symbol

  void make_room(int64_t n) { reserve(mass, n), reserve(place, n), reserve(symbol, n); }
  DecodeCandidates<Real> view() { return {mass.data(), place.data(), symbol.data()}; }
};

}  // namespace unrolled::search
