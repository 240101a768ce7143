// Sequences of different lengths, one after the other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace unrolled::search {

struct Sequences {
  std::vector<int32_t> values;
  std::vector<int64_t> offsets{0};  // sequence i is [offsets[i], offsets[i + 1])

  int64_t size() const { return static_cast<int64_t>(offsets.size()) - 1; }
  std::span<const int32_t> operator[](int64_t i) const {
    const auto begin = static_cast<std::size_t>(offsets[static_cast<std::size_t>(i)]);
    return {values.data() + begin,
            static_cast<std::size_t>(offsets[static_cast<std::size_t>(i) + 1]) - begin};
  }
};

}  // namespace unrolled::search
