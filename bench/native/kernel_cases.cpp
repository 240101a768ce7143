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

// One step of `rows` items: the recurrent product and the gates.
Call recurrent_step(const unrolled::CellKernels<float>& cell, int64_t rows, int64_t units) {
  const int64_t columns = units * cell.gates, panel = cell.panel_vectors * kernels<float>().recurrent.lanes;
  const Array weights = random_array(columns * units, 0.05f), gates = random_array(rows * columns);
  const Array operand = random_array(rows * units), memory = zeros(rows * units), h = zeros(rows * units);
  std::vector<float*> to;
  for (int64_t i = 0; i < rows; ++i) to.push_back(h.data() + i * units);
  return [=, &cell] {
    cell.step({.rows = rows,
               .depth = units,
               .units = units,
               .operand = operand.data(),
               .operand_row = units,
               .weights = weights.data(),
               .gates = {gates.data(), rows, columns, panel},
               .first_row = 0,
               .hidden_bias = operand.data(),
               .peephole = nullptr,
               .before = operand.data(),
               .memory = memory.data(),
               .state_row = units,
               .h = to.data()});
  };
}

// The products of one streaming step of an LSTM with as many inputs as units.
Call dot_rows(int64_t units) {
  const Array input = random_array(4 * units * units), state = random_array(4 * units * units);
  const Array x = random_array(units), gates = zeros(4 * units);
  const auto dot = kernels<float>().dot_rows;
  return
      [=] { dot(4 * units, {input.data(), x.data(), units}, {state.data(), x.data(), units}, gates.data()); };
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
  constexpr int64_t kItems = 12, kHidden = 64;  // the recurrent weights of an LSTM: 64 KiB
  const auto step_work = [](double gates) {
    return Work{.flops = 2.0 * gates * as_double(kItems * kHidden * kHidden)};
  };
  add(cases, "lstm.step 12x64", step_work(4),
      [] { return recurrent_step(kernels<float>().lstm, kItems, kHidden); });
  add(cases, "gru.step 12x64", step_work(3),
      [] { return recurrent_step(kernels<float>().gru, kItems, kHidden); });
  add(cases, "rnn.tanh.step 12x64", step_work(1),
      [] { return recurrent_step(kernels<float>().rnn.tanh, kItems, kHidden); });
  for (const int64_t units : {32, 128, 256}) {  // in the first cache, the second, the third
    add(cases, label("dot_rows, streaming step of ", units), {.bytes = 32.0 * as_double(units * units)},
        [=] { return dot_rows(units); });
  }
}

}  // namespace unrolled_bench
