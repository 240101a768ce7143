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

// Calls task(i) for i < count on the threads that are set. The first exception is thrown again at the end.
template <class Task>
void parallel_for(int64_t count, Task&& task) {
  using Function = std::remove_reference_t<Task>;
  detail::run_tasks(
      count, [](void* context, int64_t i) { (*static_cast<Function*>(context))(i); },
      const_cast<void*>(static_cast<const void*>(&task)));
}

// Calls task(begin, end) over [0, n) in runs of `grain`.
template <class Task>
void parallel_runs(int64_t n, int64_t grain, Task&& task) {
  parallel_for((n + grain - 1) / grain, [&](int64_t i) {
    const int64_t begin = i * grain;
    task(begin, begin + grain < n ? begin + grain : n);
  });
}

}  // namespace unrolled
