// The order in which a ragged batch is packed: no row for padding, and at each step the items that still run
// side by side, longest first. Item i of that order (its place) has row begin(step) + i at each of its steps.
#pragma once

#include <cstdint>
#include <vector>

namespace unrolled {

class RecurrentRows {
 public:
  RecurrentRows(int64_t N, const int64_t* lengths);

  int64_t count() const { return begin_.back(); }
  int64_t steps() const { return static_cast<int64_t>(begin_.size()) - 1; }
  int64_t places() const { return static_cast<int64_t>(items_.size()); }
  int64_t begin(int64_t step) const { return begin_[static_cast<std::size_t>(step)]; }
  // Items that run at a step; none after the last.
  int64_t active(int64_t step) const { return step < steps() ? begin(step + 1) - begin(step) : 0; }
  int64_t item(int64_t place) const { return items_[static_cast<std::size_t>(place)]; }
  int64_t length(int64_t place) const { return lengths_[item(place)]; }
  // The step that a row belongs to.
  int64_t step(int64_t row) const;
  // The frame of its sequence that an item reads at a step.
  int64_t frame(int64_t place, int64_t step, bool reverse) const {
    return reverse ? length(place) - 1 - step : step;
  }
  // The first place of each of `parts` runs of places with about equally many rows, and the end of the last.
  std::vector<int64_t> cut(int64_t parts) const;

 private:
  const int64_t* lengths_;
  std::vector<int64_t> items_;
  std::vector<int64_t> begin_;
};

}  // namespace unrolled
