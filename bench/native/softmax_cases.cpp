#include "case.h"
#include "ops/softmax.h"

namespace unrolled_bench {
namespace {

// Rows of scores: the emissions of the CTC cases, and a classifier's batch.
struct Scores {
  int64_t rows, C;
  int64_t size() const { return rows * C; }
};

Call forward(bool logarithm, const Scores& s) {
  return [=, x = random_array(s.size(), 4.0f), y = zeros(s.size())] {
    unrolled::softmax<float>(logarithm, s.rows, s.C, x.data(), y.data());
  };
}

Call backward(bool logarithm, const Scores& s) {
  const Array y(s.size());
  unrolled::softmax<float>(logarithm, s.rows, s.C, random_array(s.size(), 4.0f).data(), y.data());
  return [=, grad_y = random_array(s.size()), grad_x = zeros(s.size())] {
    unrolled::softmax_backward<float>(logarithm, s.rows, s.C, grad_y.data(), y.data(), grad_x.data());
  };
}

}  // namespace

void add_softmax_cases(Cases& cases) {
  for (const Scores& s :
       {Scores{16 * 150, 29}, Scores{32 * 500, 32}, Scores{8 * 1000, 5000}, Scores{32, 10}}) {
    const std::string size = label(s.rows, "x", s.C);
    const double bytes = 4 * as_double(s.size());
    for (const bool logarithm : {false, true}) {
      const std::string name = logarithm ? "log_softmax" : "softmax";
      cases.push_back(
          {name + " forward " + size, {.bytes = 2 * bytes}, [=] { return forward(logarithm, s); }});
      cases.push_back(
          {name + " backward " + size, {.bytes = 3 * bytes}, [=] { return backward(logarithm, s); }});
    }
  }
}

}  // namespace unrolled_bench
