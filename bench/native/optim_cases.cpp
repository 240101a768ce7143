#include "case.h"
#include "ops/optim.h"

namespace unrolled_bench {
namespace {

// lr so small that the parameters stay where they are, however many steps are timed.
constexpr double kRate = 1e-12;

Call adam(int64_t n) {
  const unrolled::AdamStep step{kRate, 0.9, 0.999, 1e-8, 0, false, 0.1, 0.001};
  return [=, grad = random_array(n), param = random_array(n), mean = zeros(n), square = zeros(n)] {
    unrolled::adam_step<float>(n, step, grad.data(), param.data(), mean.data(), square.data());
  };
}

Call sgd(int64_t n) {
  const unrolled::SgdStep step{kRate, 0.9, 0, false, false};
  return [=, grad = random_array(n), param = random_array(n), velocity = zeros(n)] {
    unrolled::sgd_step<float>(n, step, grad.data(), param.data(), velocity.data());
  };
}

Call norm(int64_t n) {
  return [=, grad = random_array(n), sum = std::make_shared<double>()] {
    *sum += unrolled::sum_squares<float>(n, grad.data(), 1.0);
  };
}

}  // namespace

void add_optim_cases(Cases& cases) {
  for (const int64_t n : {int64_t{1} << 17, int64_t{1} << 20, int64_t{1} << 24}) {
    const double bytes = 4 * as_double(n);
    cases.push_back({label("adam ", n), {.bytes = 7 * bytes}, [=] { return adam(n); }});  // 4 read, 3 written
    cases.push_back({label("sgd momentum ", n), {.bytes = 5 * bytes}, [=] { return sgd(n); }});
    cases.push_back({label("sum of squares ", n), {.bytes = bytes}, [=] { return norm(n); }});
  }
}

}  // namespace unrolled_bench
