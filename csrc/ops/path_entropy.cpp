// The entropy of an item's alignments is log Z - E, where Z is the sum of their probabilities and E the mean
// of their log probabilities. Its gradient by the score of class c at frame t is minus the covariance of "the
// alignment has c at t" and its log probability: the sum over the states s of class c of
//   -gamma(t, s) (E[log probability | s at t] - E).
// The mean of the part before a state runs along with alpha, that of the part after it with beta: sums over
// the same arcs, weighted by each arc's share (the expectation semiring: Eisner 2002; Li, Eisner 2009). In
// logarithms and double throughout, as an option that must be right for every input.
#include "ops/path_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "parallel.h"

namespace unrolled {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

// The log of a sum of probabilities, and the mean of a number under them.
struct Mean {
  double log_sum = kNever, mean = 0;

  void add(double log_share, double value) {
    if (log_share == kNever) return;
    const double high = std::max(log_sum, log_share);
    const double before = std::exp(log_sum - high), now = std::exp(log_share - high);
    mean = (before * mean + now * value) / (before + now);
    log_sum = high + std::log(before + now);
  }
};

class Item {
 public:
  Item(const TrellisShape& s, int64_t n)
      : frames_(s.input_lengths[n]), classes_(s.C), has_blanks_(s.blank >= 0) {
    const int64_t length = s.target_length(n);
    const int64_t* target = s.target(n);
    for (int64_t i = 0; i < length; ++i) {
      if (has_blanks_) add_state(s.blank, false);
      add_state(target[i], has_blanks_ && i > 0 && target[i] != target[i - 1]);
    }
    if (has_blanks_) add_state(s.blank, false);
  }

  template <class Real>
  double entropy(const Real* scores, double grad_scale, Real* grad) {
    if (frames_ == 0 || states() == 0) return 0;
    forward(scores);
    const int64_t last = (frames_ - 1) * states();
    Mean all;
    for (int64_t state = 0; state < states(); ++state) {
      if (ends_in(state)) all.add(before_[last + state].log_sum, before_[last + state].mean);
    }
    if (all.log_sum == kNever) return 0;
    if (grad) backward(scores, all, grad_scale, grad);
    return std::max(all.log_sum - all.mean, 0.0);
  }

 private:
  int64_t states() const { return static_cast<int64_t>(class_.size()); }
  bool starts_in(int64_t state) const { return state < (has_blanks_ ? 2 : 1); }
  bool ends_in(int64_t state) const { return state >= states() - (has_blanks_ ? 2 : 1); }
  void add_state(int64_t symbol, bool skips) {
    class_.push_back(symbol);
    skips_.push_back(skips);
  }

  // before_(t, s): of all ways to be in s at t, with the score of s at t.
  template <class Real>
  void forward(const Real* scores) {
    before_.assign(static_cast<size_t>(frames_ * states()), Mean());
    for (int64_t t = 0; t < frames_; ++t) {
      const Mean* from = before_.data() + (t - 1) * states();
      Mean* to = before_.data() + t * states();
      for (int64_t state = 0; state < states(); ++state) {
        Mean sum;
        if (t == 0 && starts_in(state)) sum.add(0, 0);
        for (int64_t back = 0; t > 0 && back <= (skips_[state] ? 2 : 1) && back <= state; ++back) {
          sum.add(from[state - back].log_sum, from[state - back].mean);
        }
        const double score = static_cast<double>(scores[t * classes_ + class_[state]]);
        if (score == kNever || sum.log_sum == kNever) continue;
        to[state] = {sum.log_sum + score, sum.mean + score};
      }
    }
  }

  // after(s): of all ways to go on from s, without the score of s.
  template <class Real>
  void backward(const Real* scores, const Mean& all, double scale, Real* grad) {
    std::vector<Mean> after(static_cast<size_t>(states())), next(after);
    std::vector<double> row(static_cast<size_t>(classes_));
    for (int64_t t = frames_ - 1; t >= 0; --t) {
      std::swap(after, next);
      std::fill(row.begin(), row.end(), 0.0);
      for (int64_t state = 0; state < states(); ++state) {
        Mean sum;
        if (t == frames_ - 1) {
          if (ends_in(state)) sum.add(0, 0);
        } else {
          for (int64_t on = 0; on <= 2 && state + on < states(); ++on) {
            if (on == 2 && !skips_[state + 2]) continue;
            const double score = static_cast<double>(scores[(t + 1) * classes_ + class_[state + on]]);
            sum.add(next[state + on].log_sum + score, next[state + on].mean + score);
          }
        }
        after[state] = sum;
        const Mean& before = before_[t * states() + state];
        const double log_share = before.log_sum + sum.log_sum - all.log_sum;
        if (log_share == kNever) continue;
        row[class_[state]] -= std::exp(log_share) * (before.mean + sum.mean - all.mean);
      }
      for (int64_t c = 0; c < classes_; ++c) grad[t * classes_ + c] = static_cast<Real>(scale * row[c]);
    }
  }

  int64_t frames_, classes_;
  bool has_blanks_;
  std::vector<int64_t> class_;
  std::vector<bool> skips_;
  std::vector<Mean> before_;
};

}  // namespace

template <class Real>
void path_entropy(const TrellisShape& s, const Real* scores, const double* grad_scale, double* entropies,
                  Real* grad) {
  constexpr int64_t kOperationsPerState = 100;  // exponentials and logarithms of its arcs
  int64_t work = 0;
  for (int64_t n = 0; n < s.N; ++n) work += s.input_lengths[n] * (2 * s.target_length(n) + 1);
  parallel_for(s.N, kOperationsPerState * work, [&](int64_t n) {
    const int64_t at = n * s.T * s.C;
    if (grad) std::fill(grad + at, grad + at + s.T * s.C, Real(0));
    entropies[n] = Item(s, n).entropy(scores + at, grad ? grad_scale[n] : 0.0, grad ? grad + at : nullptr);
  });
}

template void path_entropy(const TrellisShape&, const float*, const double*, double*, float*);
template void path_entropy(const TrellisShape&, const double*, const double*, double*, double*);

}  // namespace unrolled
