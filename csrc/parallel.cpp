#include "parallel.h"

#include <atomic>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace unrolled {
namespace {

std::atomic<int> requested{0};  // 0: as many as OpenMP gives, OMP_NUM_THREADS honoured

}  // namespace

void set_num_threads(int n) { requested.store(n); }

#ifdef _OPENMP
int get_num_threads() {
  const int n = requested.load();
  return n > 0 ? n : omp_get_max_threads();
}
bool has_openmp() { return true; }
#else
int get_num_threads() { return 1; }
bool has_openmp() { return false; }
#endif

void reset_threads_after_fork() { requested.store(1); }

namespace detail {

#ifdef _OPENMP
namespace {

void run_on_threads(int64_t count, int threads, void (*call)(void*, int64_t), void* context) {
  std::exception_ptr error;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int64_t i = 0; i < count; ++i) {
    try {
      call(context, i);
    } catch (...) {
      if (!failed.test_and_set()) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace
#endif

void run_tasks(int64_t count, void (*call)(void*, int64_t), void* context) {
#ifdef _OPENMP
  const int threads = static_cast<int>(count < get_num_threads() ? count : get_num_threads());
  if (threads > 1 && !omp_in_parallel()) return run_on_threads(count, threads, call, context);
#endif
  for (int64_t i = 0; i < count; ++i) call(context, i);
}

}  // namespace detail
}  // namespace unrolled
