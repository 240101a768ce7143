// unrolled_bench: every kernel at the sizes that matter, against the limits of this machine.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>

#include "case.h"
#include "dispatch.h"
#include "limits.h"
#include "options.h"
#include "parallel.h"
#include "table.h"

namespace unrolled_bench {
namespace {

Cases wanted_cases(const Options& options) {
  Cases cases;
  add_matmul_cases(cases);
  add_align_cases(cases);
  add_conv_cases(cases);
  add_pool_cases(cases);
  add_recurrent_cases(cases);
  add_attention_cases(cases);
  add_activation_cases(cases);
  add_norm_cases(cases);
  add_softmax_cases(cases);
  add_ctc_cases(cases);
  add_decode_cases(cases);
  add_optim_cases(cases);
  add_embedding_cases(cases);
  add_generate_cases(cases);
  add_kernel_cases(cases);
  std::erase_if(cases, [&](const Case& c) { return !options.wants(c.name); });
  if (cases.empty()) throw std::invalid_argument("no case has such a name: see --list");
  return cases;
}

int width(const Cases& cases) {
  std::size_t longest = 0;
  for (const Case& c : cases) longest = std::max(longest, c.name.size());
  return static_cast<int>(longest);
}

void run_level(const Cases& cases, const Options& options, const std::vector<Limits>& limits) {
  std::printf("\nISA level %s\n", std::string(unrolled::isa_level()).c_str());
  print_head(width(cases));
  for (const Case& c : cases) {
    for (std::size_t i = 0; i < options.threads.size(); ++i) {
      if (c.one_thread && options.threads[i] != 1) continue;
      unrolled::set_num_threads(options.threads[i]);
      const double seconds = seconds_per_call(c.name, c.prepare(), options.timer);
      print_row(width(cases), c, options.threads[i], seconds, limits[i]);
    }
  }
}

void run(const Options& options) {
  const Cases cases = wanted_cases(options);
  if (options.list) {
    for (const Case& c : cases) std::printf("%s\n", c.name.c_str());
    return;
  }
  for (const std::string& level : options.isa) unrolled::set_isa_level(level);  // refused before any timing
  std::vector<Limits> limits;
  std::printf("timed by %s; OpenMP: %s\n", timer_name(), unrolled::has_openmp() ? "yes" : "no");
  for (const int threads : options.threads) {
    limits.push_back({multiply_add_peak(threads), triad_bandwidth(threads)});
    std::printf("limits, threads: %d: %.1f GFLOP/s multiply-add, %.1f GB/s triad\n", threads,
                limits.back().gflops, limits.back().gigabytes);
  }
  if (options.isa.empty()) return run_level(cases, options, limits);
  for (const std::string& level : options.isa) {
    unrolled::set_isa_level(level);
    run_level(cases, options, limits);
  }
}

}  // namespace
}  // namespace unrolled_bench

int main(int argc, char** argv) {
  try {
    unrolled_bench::run(unrolled_bench::parse_options(argc, argv));
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "%s\n%s", error.what(), unrolled_bench::kUsage);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
