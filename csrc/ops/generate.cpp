#include "ops/generate.h"

#include <algorithm>
#include <exception>

#include "memory.h"
#include "parallel.h"

namespace unrolled {
namespace {

// Rows of a step: enough for weights to be read once for many of them, few enough to stay in the cache.
constexpr int64_t kRows = 64;

}  // namespace

std::vector<search::WrittenItem> generate(const search::StepModel& model,
                                          const search::GenerationSettings& settings,
                                          const search::GenerationInputs& inputs, Interrupt& interrupt) {
  const int64_t items = model.items();
  std::vector<search::WrittenItem> written(static_cast<std::size_t>(items));
  Buffer<float> states(items * model.state_size());
  model.start(states.data());
  const int64_t grain = std::max(int64_t{1}, kRows / settings.most_rows());
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>((items + grain - 1) / grain));
  const auto write = [&](int64_t begin, int64_t end) {
    try {
      search::generate_block(model, settings, inputs, states.data(), begin, end, written.data() + begin,
                             interrupt);
    } catch (...) {
      errors[static_cast<std::size_t>(begin / grain)] = std::current_exception();
    }
  };
  parallel_runs(items, grain, model.needs_python() ? 0 : kWorthThreads, write);
  for (const std::exception_ptr& error : errors) {  // that of the first block, on any number of threads
    if (error) std::rethrow_exception(error);
  }
  return written;
}

}  // namespace unrolled
