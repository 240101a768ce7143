// Kernels by themselves, on data that lie in the first caches: what is left is their own speed.
#include "case.h"
#include "dispatch.h"

namespace unrolled_bench {
namespace {

using unrolled::kernels;

Call multiply(int64_t rows, int64_t depth, int64_t columns) {
  const Array a = random_array(rows * depth), b = random_array(depth * columns), c = zeros(rows * columns);
  const auto& matmul = kernels<float>().matmul;
  const auto whole = [](int64_t n, int64_t tile) { return (n + tile - 1) / tile * tile; };
  const Array a_packed(whole(rows, matmul.tile_rows) * depth);
  const Array b_packed(whole(columns, matmul.tile_columns) * depth);
  matmul.pack_rows(rows, depth, a.data(), depth, 1, a_packed.data());
  matmul.pack_columns(depth, columns, b.data(), columns, 1, b_packed.data());
  return [=, &matmul] {
    matmul.multiply(rows, columns, depth, a_packed.data(), b_packed.data(), c.data(), columns, {});
  };
}

Call element_wise(void (*function)(int64_t, const float*, float*), int64_t n) {
  return [=, x = random_array(n, 4.0f), y = zeros(n)] { function(n, x.data(), y.data()); };
}

Call lstm_cell(int64_t H) {
  const auto& lstm = kernels<float>().lstm;
  return [=, &lstm, gates = random_array(4 * H), before = random_array(H), c = zeros(H), h = zeros(H)] {
    lstm.cell_forward(H, gates.data(), before.data(), c.data(), h.data());
  };
}

void add(Cases& cases, const std::string& name, const Work& work, std::function<Call()> prepare) {
  cases.push_back({"kernel " + name, work, std::move(prepare), true});
}

}  // namespace

void add_kernel_cases(Cases& cases) {
  constexpr int64_t kRows = 96, kDepth = 256, kColumns = 128;  // 224 KiB: in a second-level cache
  add(cases, "matmul.multiply 96x256x128", {.flops = 2.0 * kRows * kDepth * kColumns},
      [] { return multiply(kRows, kDepth, kColumns); });
  constexpr int64_t kElements = 2048;
  const Work work{.items = as_double(kElements)};
  // The table of the level that is in use then, so looked up late.
  add(cases, "exp, elements", work, [] { return element_wise(kernels<float>().activation.exp, kElements); });
  add(cases, "log, elements", work, [] { return element_wise(kernels<float>().activation.log, kElements); });
  add(cases, "tanh, elements", work,
      [] { return element_wise(kernels<float>().activation.tanh, kElements); });
  add(cases, "sigmoid, elements", work,
      [] { return element_wise(kernels<float>().activation.sigmoid, kElements); });
  add(cases, "softmax, elements of one row", work,
      [] { return element_wise(kernels<float>().softmax.softmax_forward, kElements); });
  constexpr int64_t kHidden = 256;
  add(cases, "lstm.cell_forward, units", {.items = as_double(kHidden)}, [] { return lstm_cell(kHidden); });
}

}  // namespace unrolled_bench
