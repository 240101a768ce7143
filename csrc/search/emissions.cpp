#include "search/emissions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <type_traits>

#include "dispatch.h"

namespace unrolled::search {
namespace {

// Rounding of a log_softmax in half precision leaves this much.
constexpr double kMostLogProbability = 1e-3;

[[noreturn]] void refuse(int64_t item, int64_t frame, int64_t symbol, double score) {
  std::ostringstream text;
  text << "log_probs must be natural log-probabilities";
  text << ": " << score << " at ";
  if (item >= 0) text << "item " << item << ", ";
  text << "frame " << frame << ", class " << symbol << "; apply log_softmax first";
  throw std::invalid_argument(text.str());
}

[[noreturn]] void refuse_frame(int64_t item, int64_t frame, bool masked) {
  std::ostringstream text;
  text << "log_probs are -inf for all classes" << (masked ? " that `allowed` permits" : "") << " at ";
  if (item >= 0) text << "item " << item << ", ";
  text << "frame " << frame << ": at least one must be possible";
  throw std::invalid_argument(text.str());
}

// The first score that is no log-probability.
template <class Score>
void refuse_first(const EmissionRows<Score>& rows, int64_t first_frame) {
  for (int64_t t = 0; t < rows.frames; ++t) {
    for (int64_t c = 0; c < rows.classes; ++c) {
      const Score score = rows.row(t)[c];
      if (!(score <= Score(kMostLogProbability))) {
        refuse(rows.item, first_frame + t, c, static_cast<double>(score));
      }
    }
  }
}

}  // namespace

template <class Real>
Real bound_in(double logarithm) {
  constexpr Real kInf = std::numeric_limits<Real>::infinity();
  const auto rounded = static_cast<Real>(logarithm);
  const Real bound = static_cast<double>(rounded) < logarithm ? std::nextafter(rounded, kInf) : rounded;
  return std::max(bound, std::numeric_limits<Real>::lowest());
}
template float bound_in(double);
template double bound_in(double);

template <class Real>
template <class Score>
void ReadableRows<Real>::read(const EmissionRows<Score>& rows, int64_t blank, int64_t first_frame,
                              Real least) {
  frames_ = rows.frames;
  classes_ = rows.classes;
  cuts_ = least > std::numeric_limits<Real>::lowest();
  if (best_.size() < static_cast<std::size_t>(rows.frames)) {
    best_.resize(static_cast<std::size_t>(rows.frames));
    alive_.resize(best_.size());
  }
  const bool needs_copy = !std::is_same_v<Real, Score> || rows.allowed;
  if constexpr (std::is_same_v<Real, Score>) rows_ = rows.scores;
  if (needs_copy) copy(rows, blank);
  const auto& kernel = kernels<Real>().decode_symbols;
  if (!kernel.largest_of_rows(rows.frames, rows.classes, rows_, Real(kMostLogProbability), least,
                              best_.data(), alive_.data()) ||
      needs_copy) {
    refuse_first(rows, first_frame);
  }
  const auto none =
      std::find(best_.begin(), best_.begin() + rows.frames, -std::numeric_limits<Real>::infinity());
  if (none != best_.begin() + rows.frames) {
    refuse_frame(rows.item, first_frame + (none - best_.begin()), rows.allowed != nullptr);
  }
}

template <class Real>
FrameScores<Real> ReadableRows<Real>::frame(int64_t t) {
  const Real* row = rows_ + t * classes_;
  const Real* best = best_.data() + t;
  const int32_t alive = alive_[static_cast<std::size_t>(t)];
  if (classes_ > kFewClasses || cuts_) return {row, nullptr, *best, alive};
  const int64_t in_block = t % kBlock;
  if (in_block == 0) {
    block_.resize(static_cast<std::size_t>(kBlock * classes_));
    kernels<Real>().decode_symbols.probabilities_of_rows(std::min(kBlock, frames_ - t), classes_, row, best,
                                                         block_.data());
  }
  return {row, block_.data() + in_block * classes_, *best, alive};
}

template <class Real>
template <class Score>
void ReadableRows<Real>::copy(const EmissionRows<Score>& rows, int64_t blank) {
  const auto size = static_cast<std::size_t>(rows.frames * rows.classes);
  if (copy_.size() < size) copy_.resize(size);
  Real* to = copy_.data();
  rows_ = to;
  for (int64_t t = 0; t < rows.frames; ++t, to += rows.classes) {
    const Score* row = rows.row(t);
    const bool* allowed = rows.allowed_row(t);
    std::transform(row, row + rows.classes, to, [](Score x) { return static_cast<Real>(x); });
    for (int64_t c = 0; allowed && c < rows.classes; ++c) {
      if (!allowed[c] && c != blank) to[c] = -std::numeric_limits<Real>::infinity();
    }
  }
}

template class ReadableRows<float>;
template class ReadableRows<double>;
template void ReadableRows<float>::read(const EmissionRows<float>&, int64_t, int64_t, float);
template void ReadableRows<double>::read(const EmissionRows<float>&, int64_t, int64_t, double);
template void ReadableRows<double>::read(const EmissionRows<double>&, int64_t, int64_t, double);

}  // namespace unrolled::search
