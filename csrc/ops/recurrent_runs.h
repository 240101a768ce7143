// Runs of items that step side by side. All threads have work, and each run is as wide as it can be, for the
// recurrent weights are read once a step and run. No bit depends on the cut.
#pragma once

#include <vector>

#include "ops/recurrent_direction.h"
#include "parallel.h"

namespace unrolled {

// Calls task(direction, first place, last place) for all items of all directions, on the threads.
template <class Real, class Task>
void for_each_run(const std::vector<RecurrentDirection<Real>>& directions, const Task& task) {
  const RecurrentDirection<Real>& any = directions[0];
  const auto count = static_cast<int64_t>(directions.size());
  const int64_t threads = (get_num_threads() + count - 1) / count;
  const std::vector<int64_t> cut = any.rows.cut(threads);
  const auto runs = static_cast<int64_t>(cut.size()) - 1;
  const int64_t work =
      count * any.rows.count() * any.gates.columns * (any.shape.P / kMultiplyAddsPerOperation + 1);
  parallel_for(count * runs, work, [&](int64_t i) {
    const auto run = static_cast<std::size_t>(i % runs);
    task(directions[static_cast<std::size_t>(i / runs)], cut[run], cut[run + 1]);
  });
}

}  // namespace unrolled
