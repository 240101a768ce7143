// Optimizer updates and the global gradient norm over threads.
#pragma once

#include <cstdint>

#include "kernels/optim.h"

namespace unrolled {

template <class Real>
void sgd_step(int64_t n, const SgdStep& step, const Real* grad, Real* param, Real* velocity);

template <class Real>
void adam_step(int64_t n, const AdamStep& step, const Real* grad, Real* param, Real* exp_avg,
               Real* exp_avg_sq);

// The same for some rows of param, exp_avg, exp_avg_sq (.., D): rows (K), each once, with grad (K, D).
template <class Real>
void sgd_rows(int64_t K, int64_t D, const int64_t* rows, const SgdStep& step, const Real* grad, Real* param);
template <class Real>
void adam_rows(int64_t K, int64_t D, const int64_t* rows, const AdamStep& step, const Real* grad, Real* param,
               Real* exp_avg, Real* exp_avg_sq);

template <class Real>
void scale_in_place(int64_t n, Real factor, Real* x);

template <class Real>
double max_abs(int64_t n, const Real* x);

// Sum of (x * scale)^2; runs of fixed length, added in order.
template <class Real>
double sum_squares(int64_t n, const Real* x, double scale);

}  // namespace unrolled
