// Tasks in a row, each of which follows the one before through the same blocks: a wavefront. Groups of frames
// are cut by the shape alone, so that it never changes a bit how many threads there are.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <vector>

#include "interrupt.h"
#include "parallel.h"

namespace unrolled {

class Wave {
 public:
  Wave(int64_t tasks, Interrupt& interrupt)
      : progress_(static_cast<std::size_t>(tasks)), interrupt_(interrupt) {}

  // Calls task(i) for each; every call of `task` reports its blocks and waits for those of the one before.
  // Returns false where the work was given up.
  template <class Task>
  bool run(int64_t work, Task&& task) {
    std::atomic<int64_t> next{0};
    const auto tasks = static_cast<int64_t>(progress_.size());
    // Numbers are drawn here: a task that waits for the one before must find it begun, in whatever order
    // OpenMP calls.
    parallel_for(tasks, work, [&](int64_t) { attempt(next.fetch_add(1), task); });
    return !interrupt_.requested();
  }

  void report(int64_t task, int64_t blocks_done) {
    progress_[static_cast<std::size_t>(task)].blocks.store(blocks_done, std::memory_order_release);
  }

  // Until the task before is past `block`. False: give up.
  bool wait_for_previous(int64_t task, int64_t block) {
    if (task == 0) return true;
    const std::atomic<int64_t>& blocks = progress_[static_cast<std::size_t>(task - 1)].blocks;
    while (blocks.load(std::memory_order_acquire) <= block) {
      for (int spin = 0; spin < kSpins; ++spin) {
        if (blocks.load(std::memory_order_acquire) > block) return true;
      }
      if (interrupt_.requested()) return false;
      std::this_thread::yield();
    }
    return true;
  }

 private:
  static constexpr int kSpins = 2000;

  struct alignas(64) Progress {
    std::atomic<int64_t> blocks{0};
  };

  // Whatever happens, nobody is left waiting.
  template <class Task>
  void attempt(int64_t i, Task& task) {
    try {
      if (!interrupt_.requested()) task(i);
    } catch (...) {
      interrupt_.stop();
      throw;
    }
    report(i, std::numeric_limits<int64_t>::max());
  }

  std::vector<Progress> progress_;
  Interrupt& interrupt_;
};

}  // namespace unrolled
