// The threads. Work is cut into tasks by its shape alone, and each task writes its own part of the result:
// which thread runs it, and how many there are, never changes a bit. The only OpenMP in the project is in
// parallel.cpp.
#pragma once

#include <cstdint>
#include <type_traits>

namespace unrolled {

void set_num_threads(int n);
int get_num_threads();
// After fork the child has one thread: OpenMP's pool does not survive it.
void reset_threads_after_fork();
bool has_openmp();

namespace detail {
void run_tasks(int64_t count, void (*call)(void* context, int64_t task), void* context);
}

// Below this much work, in element operations, waking other threads costs more than they give.
inline constexpr int64_t kWorthThreads = 1 << 15;
// Multiply-adds of a matrix product that take as long as one element operation elsewhere.
inline constexpr int64_t kMultiplyAddsPerOperation = 16;

// Calls task(i) for i < count on the threads that are set; `work` is about the element operations of all
// tasks together. The first exception is thrown again at the end.
template <class Task>
void parallel_for(int64_t count, int64_t work, Task&& task) {
  using Function = std::remove_reference_t<Task>;
  if (work < kWorthThreads) {
    for (int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  detail::run_tasks(
      count, [](void* context, int64_t i) { (*static_cast<Function*>(context))(i); },
      const_cast<void*>(static_cast<const void*>(&task)));
}

// Calls task(begin, end) over [0, n) in runs of `grain`.
template <class Task>
void parallel_runs(int64_t n, int64_t grain, int64_t work, Task&& task) {
  parallel_for((n + grain - 1) / grain, work, [&](int64_t i) {
    const int64_t begin = i * grain;
    task(begin, begin + grain < n ? begin + grain : n);
  });
}

}  // namespace unrolled
