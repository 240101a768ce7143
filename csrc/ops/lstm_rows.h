// The order in which a ragged batch is packed: no row for padding, and at each step the running items side by
// side.
#pragma once

#include <cstdint>
#include <vector>

namespace unrolled {

// Items that march together: at step t the first `active[t]` of `items` run, in rows begin[t] .. begin[t] +
// active[t].
struct LstmGroup {
  std::vector<int64_t> items;   // longest first
  std::vector<int64_t> active;  // per step
  std::vector<int64_t> begin;   // first row of each step
  int64_t steps() const { return static_cast<int64_t>(active.size()); }
};

// A row of the packed arrays: step of its item, counted from where the direction starts.
struct LstmRow {
  int64_t item, step;
};

class LstmRows {
 public:
  LstmRows(int64_t N, const int64_t* lengths);

  const std::vector<LstmGroup>& groups() const { return groups_; }
  int64_t count() const { return static_cast<int64_t>(rows_.size()); }
  LstmRow operator[](int64_t row) const { return rows_[static_cast<std::size_t>(row)]; }
  // Row of the same item one step earlier; -1 at its first step.
  int64_t previous(int64_t row) const { return previous_[static_cast<std::size_t>(row)]; }
  // The frame of the sequence that a row is about.
  int64_t frame(int64_t row, bool reverse) const {
    const LstmRow r = (*this)[row];
    return reverse ? lengths_[r.item] - 1 - r.step : r.step;
  }
  int64_t length(int64_t item) const { return lengths_[item]; }

 private:
  void add_group(std::vector<int64_t> items);

  const int64_t* lengths_;
  std::vector<LstmGroup> groups_;
  std::vector<LstmRow> rows_;
  std::vector<int64_t> previous_;
};

}  // namespace unrolled
