#include "ops/ctc_emissions.h"

#include <algorithm>
#include <cmath>

#include "dispatch.h"
#include "ops/matmul.h"

namespace unrolled {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kSmallestNormal = std::numeric_limits<float>::min();
// Up to so many emissions are kept; beyond, they come out of the rows anew each time, which is quicker than
// memory is.
constexpr int64_t kMostStored = 1 << 18;
// Larger emissions leave the recursions no room.
constexpr float kLargestEmission = 1024.0f;

const CtcEmissionKernels& kernel() { return kernels<float>().ctc_emissions; }

int64_t rows_to_make(const CtcItem<float>& item, bool few_classes) {
  if (item.grad) return 0;
  return few_classes ? item.T * item.C : item.logits ? item.C : 0;
}

}  // namespace

CtcEmissions::CtcEmissions(const CtcItem<float>& item)
    : item_(item),
      width_(round_up(item.L + 1, kernel().lanes)),
      few_classes_(item.C <= kernel().most_classes),
      stored_(!few_classes_ || item.T * width_ <= kMostStored),
      index_(width_),
      own_rows_(rows_to_make(item, few_classes_)),
      compact_(stored_ ? item.T * width_ : 0),
      blank_(item.T),
      sums_(item.logits ? item.T : 0),
      least_(few_classes_ ? item.C : width_),
      total_(few_classes_ ? item.C : width_),
      rows_(item.grad ? item.grad : own_rows_.data()) {
  std::fill_n(index_.data(), width_, static_cast<int32_t>(item.blank < 0 ? 0 : item.blank));
  std::copy_n(item.target, item.L, index_.data());
  const int64_t columns = few_classes_ ? item.C : item.L;
  std::fill_n(least_.data(), columns, kInf);
  std::fill_n(total_.data(), columns, 0.0f);
  if (item.blank < 0) std::fill_n(blank_.data(), item.T, 0.0f);
  for (int64_t t = 0; t < item.T; t += kCtcFrames) {
    const int64_t n = std::min(kCtcFrames, item.T - t);
    few_classes_ ? fill_few(t, n) : fill_many(t, n);
  }
  summarize();
}

// Rows of logits may lie anywhere: their exponentials are brought near 1 by a power of two, or, beyond the
// range of a float, by their largest.
void CtcEmissions::normalize_range(int64_t t, bool first) {
  float& sum = sums_[t];
  float* to = few_classes_ || item_.grad ? row(t) : rows_;
  double shift;
  if (sum > 0x1p-60f && sum < 0x1p60f) {
    const int power = std::ilogb(sum);
    kernel().scale_row(item_.C, std::ldexp(1.0f, -power), to);
    sum = std::ldexp(sum, -power);
    shift = power * 0.693147180559945309;
  } else {
    const auto softmax = kernel().exp_below_top(item_.C, item_.scores + t * item_.C, to);
    sum = softmax.sum;
    shift = static_cast<double>(softmax.top);
    rough_ = true;
    has_nan_ |= !(sum > 0 && sum < kInf);
  }
  if (first) log_scales_ += shift;
}

void CtcEmissions::fill_rows(int64_t t, int64_t n, bool first) {
  const float* from = item_.scores + t * item_.C;
  float* to = few_classes_ || item_.grad ? row(t) : rows_;
  if (!item_.logits) return kernel().exp_all(n * item_.C, from, to);
  kernel().exp_rows(n, item_.C, from, to, sums_.data() + t);
  double product = 1;
  for (int64_t i = t; i < t + n; ++i) {
    if (!(sums_[i] > 0.5f && sums_[i] < 2.0f)) normalize_range(i, first);
    product *= static_cast<double>(sums_[i]);
  }
  if (first) log_sums_ += std::log(product);
}

void CtcEmissions::fill_few(int64_t t, int64_t n) {
  fill_rows(t, n, true);
  const int64_t C = item_.C;
  const float* rows = row(t);
  largest_ = std::max(largest_, kernel().column_stats(n, C, C, rows, least_.data(), total_.data()));
  if (item_.blank >= 0) {
    for (int64_t i = 0; i < n; ++i) blank_[t + i] = rows[i * C + item_.blank];
  }
  if (stored_) {
    kernel().pick(n, C, rows, item_.L, width_, index_.data(), 0.0f, compact_.data() + t * width_, width_);
  }
}

void CtcEmissions::fill_many(int64_t t, int64_t n) {
  const int64_t C = item_.C, L = item_.L;
  float* to = compact_.data() + t * width_;
  for (int64_t i = 0; i < n; ++i) {
    const float* from = item_.scores + (t + i) * C;
    float* symbols = to + i * width_;
    if (item_.logits) {
      fill_rows(t + i, 1, true);
      const float* made = item_.grad ? row(t + i) : rows_;
      kernel().gather(1, C, made, L, width_, index_.data(), 0.0f, symbols, width_);
      if (item_.blank >= 0) blank_[t + i] = made[item_.blank];
      if (item_.grad) {
        kernel().scale_row(C, static_cast<float>(item_.scale / static_cast<double>(sums_[t + i])),
                           row(t + i));
      }
    } else {
      kernel().gather(1, C, from, L, width_, index_.data(), -kInf, symbols, width_);
      kernel().exp_all(width_, symbols, symbols);
      if (item_.blank >= 0) blank_[t + i] = std::exp(from[item_.blank]);
      if (item_.grad) std::fill_n(row(t + i), C, 0.0f);
    }
  }
  largest_ = std::max(largest_, kernel().column_stats(n, L, width_, to, least_.data(), total_.data()));
  for (int64_t i = t; i < t + n; ++i) largest_ = std::max(largest_, blank_[i]);
}

void CtcEmissions::summarize() {
  const auto T = static_cast<double>(item_.T);
  double blanks = 0, symbols = 0;
  float least = kInf;
  for (int64_t t = 0; t < item_.T && item_.blank >= 0; ++t) {
    blanks += static_cast<double>(blank_[t]);
    least = std::min(least, blank_[t]);
  }
  for (int64_t i = 0; i < item_.L; ++i) {
    const int64_t column = few_classes_ ? item_.target[i] : i;
    symbols += static_cast<double>(total_[column]);
    least = std::min(least, least_[column]);
  }
  mean_blank_ = blanks / T;
  mean_symbol_ = item_.L == 0 ? 0 : symbols / (T * static_cast<double>(item_.L));
  in_range_ = !rough_ && least >= kSmallestNormal && largest_ <= kLargestEmission &&
              std::isfinite(mean_blank_ + mean_symbol_);
}

CtcEmissions::Block CtcEmissions::block(int64_t t, int64_t n, int64_t first, int64_t count,
                                        float* scratch) const {
  if (stored_) return {compact_.data() + t * width_ + first, width_};
  const int64_t symbols = std::clamp<int64_t>(item_.L - first, 0, count);
  kernel().pick(n, item_.C, rows_ + t * item_.C, symbols, count, index_.data() + first, 0.0f, scratch, count);
  return {scratch, count};
}

void CtcEmissions::scores(int64_t t, int64_t n, float* to, float* blank) const {
  const float* from = item_.scores + t * item_.C;
  (few_classes_ ? kernel().pick : kernel().gather)(n, item_.C, from, item_.L, width_, index_.data(), -kInf,
                                                   to, width_);
  for (int64_t i = 0; i < n; ++i) blank[i] = item_.blank < 0 ? -kInf : from[i * item_.C + item_.blank];
}

void CtcEmissions::restore_rows(int64_t t, int64_t n) {
  if (!spoiled_ || !item_.grad) return;
  if (!item_.logits) {
    if (!few_classes_) std::fill_n(row(t), n * item_.C, 0.0f);
    return;
  }
  fill_rows(t, n, false);
  for (int64_t i = t; i < t + n && !few_classes_; ++i) {
    kernel().scale_row(item_.C, static_cast<float>(item_.scale / static_cast<double>(sums_[i])), row(i));
  }
}

}  // namespace unrolled
