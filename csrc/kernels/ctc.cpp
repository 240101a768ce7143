#include "kernels/ctc.h"

#include "kernels/math.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

typedef Vec<double> V;

constexpr int64_t W = kWidth<double>;
constexpr double kInf = __builtin_huge_val();

// log(exp(a) + exp(b) + exp(c)); -inf where all three are.
UNROLLED_INLINE V log_add(V a, V b, V c) {
  const V top = max(max(a, b), c);
  const V shift = top == -kInf ? V{} : top;
  return shift + log<double>(exp<double>(a - shift) + exp<double>(b - shift) + exp<double>(c - shift));
}

void fill(int64_t n, double* x, double value) {
  for (int64_t i = 0; i < n; ++i) x[i] = value;
}

double log_add_scalar(double a, double b) { return log_add(broadcast(a), broadcast(b), broadcast(-kInf))[0]; }

double forward(int64_t T, int64_t S, int64_t ends, int64_t stride, const double* emission, const double* skip,
               double* alpha) {
  if (T == 0 || S == 0) return T == 0 && S < ends ? 0 : -kInf;
  fill(stride, alpha, -kInf);
  for (int64_t s = 0; s < ends && s < S; ++s) alpha[kCtcGuard + s] = emission[kCtcGuard + s];
  for (int64_t t = 1; t < T; ++t) {
    const double* previous = alpha + (t - 1) * stride;
    double* row = alpha + t * stride;
    int64_t s = kCtcGuard;
    fill(kCtcGuard, row, -kInf);
    for (; s < kCtcGuard + S; s += W) {
      const V sum =
          log_add(load(previous + s), load(previous + s - 1), load(previous + s - 2) + load(skip + s));
      store(row + s, sum + load(emission + t * stride + s));
    }
    fill(stride - s, row + s, -kInf);
  }
  const double* last = alpha + (T - 1) * stride + kCtcGuard;
  return S == 1 || ends == 1 ? last[S - 1] : log_add_scalar(last[S - 1], last[S - 2]);
}

// The last frame: a path may end in the last `ends` states alone.
void backward_last_frame(int64_t S, int64_t ends, int64_t stride, const double* emission,
                         double log_probability, double* beta_hat, double* alpha) {
  fill(stride, beta_hat, -kInf);
  for (int64_t s = 0; s < S; ++s) {
    double* a = alpha + kCtcGuard + s;
    if (s < S - ends) {
      *a = 0;
      continue;
    }
    *a = exp<double>(broadcast(*a - log_probability))[0];
    beta_hat[kCtcGuard + s] = emission[kCtcGuard + s];
  }
}

// Of all ways on from the states s, s + 1, ..., whose next frame `next` includes.
UNROLLED_INLINE V sum_after(const double* next, const double* skip, int64_t s) {
  return log_add(load(next + s), load(next + s + 1), load(next + s + 2) + load(skip + s + 2));
}

// beta_hat(t, s) includes the emission at t, as the forward probabilities do; beta does not.
void backward(int64_t T, int64_t S, int64_t ends, int64_t stride, const double* emission, const double* skip,
              double log_probability, double* beta, double* alpha) {
  if (T == 0) return;
  double *next = beta, *current = beta + stride;
  backward_last_frame(S, ends, stride, emission + (T - 1) * stride, log_probability, next,
                      alpha + (T - 1) * stride);
  fill(stride, current, -kInf);
  for (int64_t t = T - 2; t >= 0; --t) {
    double* row = alpha + t * stride;
    for (int64_t s = kCtcGuard; s < kCtcGuard + S; s += W) {
      const V after = sum_after(next, skip, s);
      store(row + s, exp<double>(load(row + s) + after - log_probability));
      store(current + s, after + load(emission + t * stride + s));
    }
    double* swap = next;
    next = current;
    current = swap;
  }
}

void betas(int64_t T, int64_t S, int64_t ends, int64_t stride, const double* emission, const double* skip,
           double* beta, double* beta_hat) {
  fill(T * stride, beta, -kInf);
  fill(T * stride, beta_hat, -kInf);
  for (int64_t t = T - 1; t >= 0; --t) {
    double *row = beta + t * stride, *hat = beta_hat + t * stride;
    for (int64_t s = S - ends; t == T - 1 && s < S; ++s) {
      if (s >= 0) row[kCtcGuard + s] = 0;
    }
    for (int64_t s = kCtcGuard; s < kCtcGuard + S; s += W) {
      if (t < T - 1) store(row + s, sum_after(hat + stride, skip, s));
      store(hat + s, load(row + s) + load(emission + t * stride + s));
    }
  }
}

}  // namespace

CtcKernels ctc_kernels() { return {W, forward, backward, betas}; }

}  // namespace unrolled::UNROLLED_LEVEL
