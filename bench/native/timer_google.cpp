#include <benchmark/benchmark.h>

#include <stdexcept>

#include "timer.h"

namespace unrolled_bench {
namespace {

// Keeps the figures instead of printing them: the table is ours, the same as without the library.
class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      seconds.push_back(run.real_accumulated_time / static_cast<double>(run.iterations));
    }
  }
  std::vector<double> seconds;
};

}  // namespace

const char* timer_name() { return "Google Benchmark"; }

double seconds_per_call(const std::string& name, const Call& call, const TimerSettings& settings) {
  benchmark::ClearRegisteredBenchmarks();
  benchmark::RegisterBenchmark(name.c_str(),
                               [&](benchmark::State& state) {
                                 for ([[maybe_unused]] auto turn : state) call();
                               })
      ->UseRealTime()
      ->MinTime(settings.min_seconds)
      ->Repetitions(settings.repetitions);
  call();
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  if (collector.seconds.empty()) throw std::runtime_error("Google Benchmark ran nothing for " + name);
  return median(std::move(collector.seconds));
}

}  // namespace unrolled_bench
