#include "ops/recurrent_rows.h"

#include <algorithm>
#include <numeric>

namespace unrolled {

RecurrentRows::RecurrentRows(int64_t N, const int64_t* lengths)
    : lengths_(lengths), items_(static_cast<std::size_t>(N)) {
  std::iota(items_.begin(), items_.end(), int64_t{0});
  std::stable_sort(items_.begin(), items_.end(),
                   [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
  int64_t running = N, row = 0;
  begin_.push_back(row);
  for (int64_t step = 0; running > 0; ++step) {
    while (running > 0 && length(running - 1) <= step) --running;
    if (running > 0) begin_.push_back(row += running);
  }
}

int64_t RecurrentRows::step(int64_t row) const {
  return std::upper_bound(begin_.begin(), begin_.end(), row) - begin_.begin() - 1;
}

std::vector<int64_t> RecurrentRows::cut(int64_t parts) const {
  std::vector<int64_t> first{0};
  for (int64_t place = 0, rows = 0; place < places(); ++place) {
    const auto made = static_cast<int64_t>(first.size());
    if (made < parts && rows >= count() / parts * made && rows > 0 && place > first.back())
      first.push_back(place);
    rows += length(place);
  }
  first.push_back(places());
  return first;
}

}  // namespace unrolled
