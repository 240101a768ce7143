#include "ops/embedding.h"

#include <algorithm>

#include "dispatch.h"
#include "parallel.h"

namespace unrolled {
namespace {

// Counting reads a number for each row of the table, sorting compares log(n) times for each look-up.
constexpr int64_t kRowsWorthCounting = 16;

int64_t rows_per_task(int64_t D) { return (1 << 13) / (D + 1) + 1; }

// Sums the rows of grad_y that belong to the i-th row looked up, to where `to` says.
template <class Real, class To>
void sum_all(const RowPlaces& places, int64_t D, const Real* grad_y, To to) {
  const auto sum_rows = kernels<Real>().embedding.sum_rows;
  parallel_runs(places.count(), 4, places.total() * D, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sum_rows(places.looked_up(i), places.places(i), D, grad_y, to(i));
  });
}

}  // namespace

int64_t first_outside(int64_t n, const int64_t* ids, int64_t V) {
  for (int64_t i = 0; i < n; ++i) {
    if (static_cast<uint64_t>(ids[i]) >= static_cast<uint64_t>(V)) return i;
  }
  return -1;
}

template <class Real>
void embedding(int64_t n, int64_t D, const int64_t* ids, const Real* weight, Real* y) {
  parallel_runs(n, rows_per_task(D), n * D, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(weight + ids[i] * D, D, y + i * D);
  });
}

RowPlaces::RowPlaces(int64_t n, const int64_t* ids, int64_t V, int64_t left_out)
    : rows_(std::min(n, V)), starts_(std::min(n, V) + 1), places_(n) {
  starts_[0] = 0;
  if (V / kRowsWorthCounting <= n) {
    by_counting(n, ids, V, left_out);
  } else {
    by_sorting(n, ids, left_out);
  }
}

void RowPlaces::by_counting(int64_t n, const int64_t* ids, int64_t V, int64_t left_out) {
  Buffer<int64_t> next(V);  // how often a row is looked up, then where its next place goes
  std::fill_n(next.data(), V, int64_t{0});
  for (int64_t i = 0; i < n; ++i) ++next[ids[i]];
  for (int64_t row = 0; row < V; ++row) {
    if (next[row] == 0 || row == left_out) continue;
    rows_[count_] = row;
    starts_[count_ + 1] = starts_[count_] + next[row];
    next[row] = starts_[count_++];
  }
  for (int64_t i = 0; i < n; ++i) {
    if (ids[i] != left_out) places_[next[ids[i]]++] = i;
  }
}

void RowPlaces::by_sorting(int64_t n, const int64_t* ids, int64_t left_out) {
  int64_t kept = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (ids[i] != left_out) places_[kept++] = i;
  }
  std::sort(places_.data(), places_.data() + kept,
            [ids](int64_t a, int64_t b) { return ids[a] < ids[b] || (ids[a] == ids[b] && a < b); });
  for (int64_t i = 0; i < kept; ++i) {
    const int64_t row = ids[places_[i]];
    if (count_ == 0 || rows_[count_ - 1] != row) rows_[count_++] = row;
    starts_[count_] = i + 1;
  }
}

template <class Real>
void embedding_backward(const RowPlaces& places, int64_t V, int64_t D, const Real* grad_y, Real* grad) {
  parallel_runs(V * D, int64_t{1} << 15, V * D,
                [&](int64_t begin, int64_t end) { std::fill(grad + begin, grad + end, Real(0)); });
  sum_all(places, D, grad_y, [&](int64_t i) { return grad + places.row(i) * D; });
}

template <class Real>
void embedding_backward_rows(const RowPlaces& places, int64_t D, const Real* grad_y, Real* values) {
  sum_all(places, D, grad_y, [&](int64_t i) { return values + i * D; });
}

#define UNROLLED_INSTANTIATE(Real)                                                          \
  template void embedding(int64_t, int64_t, const int64_t*, const Real*, Real*);            \
  template void embedding_backward(const RowPlaces&, int64_t, int64_t, const Real*, Real*); \
  template void embedding_backward_rows(const RowPlaces&, int64_t, const Real*, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
