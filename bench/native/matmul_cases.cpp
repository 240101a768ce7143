#include "case.h"
#include "ops/matmul.h"

namespace unrolled_bench {
namespace {

struct Product {
  int64_t m, k, n;
};

std::string name_of(const char* what, const Product& p) { return label(what, " ", p.m, "x", p.k, "x", p.n); }

Call product(const Product& p) {
  const Array a = random_array(p.m * p.k), b = random_array(p.k * p.n), c = zeros(p.m * p.n);
  return [=] {
    unrolled::matmul(unrolled::row_major<float>(a.data(), p.m, p.k),
                     unrolled::row_major<float>(b.data(), p.k, p.n), c.data(), p.n, false);
  };
}

// The right operand packed before, as a recurrent layer has it.
Call packed_product(const Product& p) {
  const Array a = random_array(p.m * p.k), b = random_array(p.k * p.n), c = zeros(p.m * p.n);
  const auto packed =
      std::make_shared<unrolled::PackedMatrix<float>>(unrolled::row_major<float>(b.data(), p.k, p.n));
  const Array scratch(packed->scratch_size(p.m));
  return [=] {
    packed->multiply(unrolled::row_major<float>(a.data(), p.m, p.k), scratch.data(), c.data(), p.n, false);
  };
}

}  // namespace

void add_matmul_cases(Cases& cases) {
  for (const Product& p :
       {Product{1024, 1024, 1024}, Product{32, 512, 2048}, Product{16, 256, 1024}, Product{1, 512, 2048}}) {
    const Work work{.flops = 2 * as_double(p.m * p.k * p.n)};
    cases.push_back({name_of("matmul", p), work, [=] { return product(p); }});
    cases.push_back({name_of("matmul packed", p), work, [=] { return packed_product(p); }, true});
  }
}

}  // namespace unrolled_bench
