#include "ops/lstm_rows.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace unrolled {
namespace {

// Sequences in one group: whole register tiles of the matrix product (6 or 4 rows), and enough groups for the
// threads.
constexpr int64_t kGroup = 12;

}  // namespace

LstmRows::LstmRows(int64_t N, const int64_t* lengths) : lengths_(lengths) {
  std::vector<int64_t> order(static_cast<std::size_t>(N));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
  for (int64_t i = 0; i < N; i += kGroup) {
    add_group({order.begin() + i, order.begin() + std::min(i + kGroup, N)});
  }
}

void LstmRows::add_group(std::vector<int64_t> items) {
  LstmGroup group{std::move(items), {}, {}};
  const auto running = [&](int64_t step) {
    return std::count_if(group.items.begin(), group.items.end(),
                         [&](int64_t i) { return lengths_[i] > step; });
  };
  for (int64_t step = 0; running(step) > 0; ++step) {
    const int64_t active = running(step), begin = count();
    for (int64_t i = 0; i < active; ++i) {
      rows_.push_back({group.items[static_cast<std::size_t>(i)], step});
      previous_.push_back(step == 0 ? -1 : group.begin.back() + i);
    }
    group.active.push_back(active);
    group.begin.push_back(begin);
  }
  groups_.push_back(std::move(group));
}

}  // namespace unrolled
