#include "case.h"
#include "ops/activation.h"

namespace unrolled_bench {
namespace {

struct Images {
  const char* name;
  int64_t N, C, inner;
  int64_t size() const { return N * C * inner; }
};

const Images kImages[] = {{"32,32,28,28", 32, 32, 28 * 28}, {"32,64,32,256", 32, 64, 32 * 256}};

Call relu(const Images& i) {
  return [=, x = random_array(i.size()), bias = random_array(i.C), y = zeros(i.size())] {
    unrolled::bias_relu<float>(i.N, i.C, i.inner, x.data(), bias.data(), y.data());
  };
}

Call relu_backward(const Images& i) {
  return [=, grad_y = random_array(i.size()), y = random_array(i.size()), grad_x = zeros(i.size()),
          grad_bias = zeros(i.C)] {
    unrolled::bias_relu_backward<float>(i.N, i.C, i.inner, grad_y.data(), y.data(), grad_x.data(),
                                        grad_bias.data());
  };
}

Call element_wise(unrolled::Unary function, int64_t n) {
  return [=, x = random_array(n, 4.0f), y = zeros(n)] {
    unrolled::unary<float>(function, n, x.data(), y.data());
  };
}

}  // namespace

void add_activation_cases(Cases& cases) {
  using unrolled::Unary;
  for (const Images& i : kImages) {
    const std::string name = i.name;
    const double bytes = 4 * as_double(i.size());
    cases.push_back({"bias_relu forward " + name, {.bytes = 2 * bytes}, [&i] { return relu(i); }});
    cases.push_back({"bias_relu backward " + name, {.bytes = 3 * bytes}, [&i] { return relu_backward(i); }});
  }
  const int64_t n = kImages[0].size();
  for (const auto& [function, name] :
       {std::pair{Unary::exp, "exp"}, std::pair{Unary::tanh, "tanh"}, std::pair{Unary::sigmoid, "sigmoid"}}) {
    cases.push_back({label(name, " ", n), {.bytes = 8 * as_double(n)}, [n, function = function] {
                       return element_wise(function, n);
                     }});
  }
}

}  // namespace unrolled_bench
