#include "kernels/lstm.h"

#include "kernels/math.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
UNROLLED_INLINE void store_lanes(Real* p, int64_t count, Vec<Real> v) {
  if (count == kWidth<Real>) {
    store(p, v);
  } else {
    store_partial(p, count, v);
  }
}

template <class Real>
UNROLLED_INLINE void forward_lanes(int64_t H, int64_t j, int64_t count, Real* gates, const Real* c_prev,
                                   Real* c, Real* h) {
  Real *i_gate = gates + j, *f_gate = gates + H + j, *g_gate = gates + 2 * H + j, *o_gate = gates + 3 * H + j;
  const Vec<Real> i = sigmoid<Real>(load_or_zero(i_gate, count));
  const Vec<Real> f = sigmoid<Real>(load_or_zero(f_gate, count));
  const Vec<Real> g = tanh<Real>(load_or_zero(g_gate, count));
  const Vec<Real> o = sigmoid<Real>(load_or_zero(o_gate, count));
  const Vec<Real> cell = f * load_or_zero(c_prev + j, count) + i * g;
  store_lanes(i_gate, count, i);
  store_lanes(f_gate, count, f);
  store_lanes(g_gate, count, g);
  store_lanes(o_gate, count, o);
  store_lanes(c + j, count, cell);
  store_lanes(h + j, count, o * tanh<Real>(cell));
}

template <class Real>
void cell_forward(int64_t H, Real* gates, const Real* c_prev, Real* c, Real* h) {
  constexpr int64_t W = kWidth<Real>;
  int64_t j = 0;
  for (; j + W <= H; j += W) forward_lanes<Real>(H, j, W, gates, c_prev, c, h);
  if (j < H) forward_lanes<Real>(H, j, H - j, gates, c_prev, c, h);
}

template <class Real>
UNROLLED_INLINE void backward_lanes(int64_t H, int64_t j, int64_t count, Real* gates, const Real* c_prev,
                                    const Real* c, const Real* grad_h, Real* grad_c) {
  Real *i_gate = gates + j, *f_gate = gates + H + j, *g_gate = gates + 2 * H + j, *o_gate = gates + 3 * H + j;
  const Vec<Real> i = load_or_zero(i_gate, count), f = load_or_zero(f_gate, count);
  const Vec<Real> g = load_or_zero(g_gate, count), o = load_or_zero(o_gate, count);
  const Vec<Real> dh = load_or_zero(grad_h + j, count);
  const Vec<Real> tanh_c = tanh<Real>(load_or_zero(c + j, count));
  const Vec<Real> dc = load_or_zero(grad_c + j, count) + dh * o * (Real(1) - tanh_c * tanh_c);
  store_lanes(i_gate, count, dc * g * i * (Real(1) - i));
  store_lanes(f_gate, count, dc * load_or_zero(c_prev + j, count) * f * (Real(1) - f));
  store_lanes(g_gate, count, dc * i * (Real(1) - g * g));
  store_lanes(o_gate, count, dh * tanh_c * o * (Real(1) - o));
  store_lanes(grad_c + j, count, dc * f);
}

template <class Real>
void cell_backward(int64_t H, Real* gates, const Real* c_prev, const Real* c, const Real* grad_h,
                   Real* grad_c) {
  constexpr int64_t W = kWidth<Real>;
  int64_t j = 0;
  for (; j + W <= H; j += W) backward_lanes<Real>(H, j, W, gates, c_prev, c, grad_h, grad_c);
  if (j < H) backward_lanes<Real>(H, j, H - j, gates, c_prev, c, grad_h, grad_c);
}

}  // namespace

template <class Real>
LstmKernels<Real> lstm_kernels() {
  return {cell_forward<Real>, cell_backward<Real>};
}
template LstmKernels<float> lstm_kernels();
template LstmKernels<double> lstm_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
