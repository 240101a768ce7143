// The true rows of a batch of ragged items, one item after the other: what lies on padding is never read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "memory.h"
#include "ops/matmul.h"
#include "parallel.h"

namespace unrolled {

template <class Real>
class RaggedRows {
 public:
  // x (N, T, D), lengths (N) within 0 .. T. Without padding the rows are those of x.
  RaggedRows(int64_t N, int64_t T, int64_t D, const int64_t* lengths, const Real* x)
      : N_(N), T_(T), D_(D), begin_(begins(N, lengths)), copy_(whole() ? 0 : count() * D), data_(x) {
    if (whole()) return;
    parallel_for(N_, count() * D_, [&](int64_t n) {
      std::copy_n(x + n * T_ * D_, size(n) * D_, copy_.data() + begin(n) * D_);
    });
    data_ = copy_.data();
  }
  RaggedRows(const RaggedRows&) = delete;
  RaggedRows& operator=(const RaggedRows&) = delete;

  int64_t count() const { return begin_.back(); }
  int64_t begin(int64_t n) const { return begin_[static_cast<std::size_t>(n)]; }
  int64_t size(int64_t n) const { return begin(n + 1) - begin(n); }
  const Real* item(int64_t n) const { return data_ + begin(n) * D_; }
  MatrixView<Real> view() const { return row_major(data_, count(), D_); }

  // The same rows into an array (N, T, D), 0 on padding.
  void scatter(const Real* rows, Real* x) const {
    parallel_for(N_, N_ * T_ * D_, [&](int64_t n) {
      Real* to = std::copy_n(rows + begin(n) * D_, size(n) * D_, x + n * T_ * D_);
      std::fill_n(to, (T_ - size(n)) * D_, Real(0));
    });
  }

 private:
  bool whole() const { return count() == N_ * T_; }
  static std::vector<int64_t> begins(int64_t N, const int64_t* lengths) {
    std::vector<int64_t> begin{0};
    for (int64_t n = 0; n < N; ++n) begin.push_back(begin.back() + lengths[n]);
    return begin;
  }

  int64_t N_, T_, D_;
  std::vector<int64_t> begin_;
  Buffer<Real> copy_;
  const Real* data_;
};

}  // namespace unrolled
