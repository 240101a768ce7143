#include "ops/ctc_exact.h"

#include <algorithm>
#include <cmath>

#include "dispatch.h"
#include "ops/ctc_gradient.h"
#include "ops/matmul.h"

namespace unrolled {
namespace {

constexpr double kLn2 = 0.693147180559945309;
// States are kept of so many pairs; of longer problems those at the start of each segment, whose frames are
// then computed twice.
constexpr int64_t kMostPairs = 1 << 22;

const CtcExactKernels& kernel() { return kernels<float>().ctc_exact; }

int64_t segment_frames(int64_t T, int64_t width) {
  if (T * width <= kMostPairs) return round_up(T, kCtcFrames);
  return round_up(static_cast<int64_t>(std::sqrt(static_cast<double>(T))), kCtcFrames);
}

class ExactLoss {
 public:
  ExactLoss(const CtcItem<float>& item, CtcEmissions& emissions)
      : item_(item),
        source_(emissions),
        width_(emissions.width()),
        frames_(segment_frames(item.T, width_)),
        skip_(width_),
        state_(4 * width_),
        starts_((item.T + frames_ - 1) / frames_ * 4 * width_),
        rows_(frames_ * 4 * width_),
        scores_(kCtcFrames * width_),
        emissions_(frames_ * 2 * width_),
        blank_(2 * frames_),
        after_(4 * width_) {
    for (int64_t i = 0; i < width_; ++i) {
      skip_[i] = i < item.L && item.follows(i) ? 0.0f : kCtcZeroPower;
    }
  }

  std::optional<double> run() {
    const std::optional<double> log_probability = sum_paths();
    if (item_.grad && log_probability && *log_probability > -kCtcInfinity) gradient();
    return log_probability;
  }

  // Of states[t] at each frame t, 0 where that is negative.
  bool path_posterior(const int32_t* states, Interrupt& interrupt, double* posterior) {
    const std::optional<double> log_probability = sum_paths(&interrupt);
    if (!log_probability) return false;
    if (*log_probability == -kCtcInfinity) {
      std::fill_n(posterior, item_.T, 0.0);
      return true;
    }
    Buffer<float> unused(width_ + kCtcFrames);
    each_tile_backward([&](int64_t first, int64_t n, int64_t t) {
      interrupt.requested();
      for (int64_t f = n - 1; f >= 0; --f) {
        const float *emission = emissions_.data() + (t + f) * 2 * width_,
                    blank[2] = {blank_of(t)[f], blank_of(t)[n + f]},
                    *row = rows_.data() + (t + f) * 4 * width_;
        kernel().backward(first + f, 1, width_, emission, blank, skip_.data(), row, 1 / z_mantissa_, z_power_,
                          after_.data(), unused.data(), unused.data() + width_);
        const int32_t state = states[first + f];
        posterior[first + f] = state < 0 ? 0 : state_posterior(state, emission, blank, row);
      }
    });
    return true;
  }

 private:
  // alpha and the beta that includes the frame both count its emission.
  double state_posterior(int64_t state, const float* emission, const float* blank, const float* row) const {
    const bool label = item_.blank < 0 || state % 2 == 1;
    const int64_t i = item_.blank < 0 ? state : state / 2, at = label ? i : 2 * width_ + i;
    const auto mantissa = [&](const float* p) { return static_cast<double>(p[at]); };
    const double emission_mantissa = static_cast<double>(label ? emission[i] : blank[0]);
    const float power = row[at + width_] + after_[at + width_] - (label ? emission[width_ + i] : blank[1]);
    const double value = mantissa(row) * mantissa(after_.data()) / emission_mantissa;
    const float shift = std::clamp(power - z_power_, -2000.0f, 2000.0f);
    return std::ldexp(value / static_cast<double>(z_mantissa_), static_cast<int>(shift));
  }

  std::optional<double> sum_paths(Interrupt* interrupt = nullptr) {
    set_state(0);
    for (int64_t t = 0; t < item_.T; t += frames_) {
      std::copy_n(state_.data(), 4 * width_, starts_.data() + t / frames_ * 4 * width_);
      forward(t);
      if (interrupt) interrupt->requested();
    }
    // Powers are whole numbers in float: none of a path may reach 2^24.
    const double largest_power = static_cast<double>(largest_score_) / kLn2 + 8;
    if (!(largest_score_ <= kCtcLargestScore && largest_power * static_cast<double>(item_.T) < 0x1p24))
      return {};
    sum_ends();
    if (z_power_ < kCtcZeroPower / 2) return -kCtcInfinity;
    return std::log(static_cast<double>(z_mantissa_)) + static_cast<double>(z_power_) * kLn2;
  }

  int64_t frames_from(int64_t t) const { return std::min(frames_, item_.T - t); }
  const float* blank_of(int64_t frame) const { return blank_.data() + 2 * frame; }

  // All 0 but the blank of one pair: the way in, or out.
  void set_state(int64_t pair) {
    std::fill_n(state_.data(), 4 * width_, 1.0f);
    std::fill_n(state_.data() + width_, width_, kCtcZeroPower);
    std::fill_n(state_.data() + 3 * width_, width_, kCtcZeroPower);
    state_[3 * width_ + pair] = 0;
  }

  // The segment's emissions, tile by tile: of blanks the mantissas of a tile, then its powers.
  void fill_emissions(int64_t first) {
    const int64_t n = frames_from(first), lanes = kernels<float>().ctc_emissions.lanes;
    Buffer<float> blank(lanes), split(2 * lanes);
    for (int64_t t = 0; t < n; t += kCtcFrames) {
      const int64_t tile = std::min(kCtcFrames, n - t);
      float scores[kCtcFrames];
      source_.scores(first + t, tile, scores_.data(), scores);
      note_largest(kernel().emissions(tile, width_, scores_.data(), emissions_.data() + t * 2 * width_));
      for (int64_t i = 0; i < tile; ++i) {
        std::fill_n(blank.data(), lanes, scores[i]);
        note_largest(kernel().emissions(1, lanes, blank.data(), split.data()));
        blank_[2 * t + i] = split[0];
        blank_[2 * t + tile + i] = split[lanes];
      }
    }
  }

  void note_largest(float score) { largest_score_ = std::max(largest_score_, score); }

  void forward(int64_t first) {
    fill_emissions(first);
    const int64_t n = frames_from(first);
    for (int64_t t = 0; t < n; t += kCtcFrames) {
      const int64_t tile = std::min(kCtcFrames, n - t);
      kernel().forward(first + t, tile, width_, emissions_.data() + t * 2 * width_, blank_of(t), skip_.data(),
                       state_.data(), rows_.data() + t * 4 * width_);
    }
  }

  // Z: the last blank and the last symbol.
  void sum_ends() {
    double total = 0;
    const float *m = state_.data(), *power = m + width_;
    const int64_t L = item_.L;
    const float gap_m = m[2 * width_ + L], gap_power = m[3 * width_ + L];
    const float label_m = L == 0 ? 1 : m[L - 1], label_power = L == 0 ? kCtcZeroPower : power[L - 1];
    const float most = std::max(gap_power, label_power);
    total += std::ldexp(static_cast<double>(gap_m), static_cast<int>(std::max(gap_power - most, -2000.0f)));
    total +=
        std::ldexp(static_cast<double>(label_m), static_cast<int>(std::max(label_power - most, -2000.0f)));
    z_mantissa_ = static_cast<float>(total);
    z_power_ = most;
  }

  // Calls visit(first frame, frames, segment's frame) for each tile from the last to the first, its states
  // and emissions at hand; `after_` starts as the way out.
  template <class Visit>
  void each_tile_backward(Visit visit) {
    set_state(item_.L);
    std::copy_n(state_.data(), 4 * width_, after_.data());
    const int64_t segments = (item_.T + frames_ - 1) / frames_;
    for (int64_t s = segments - 1; s >= 0; --s) {
      const int64_t first = s * frames_;
      if (s < segments - 1) {
        std::copy_n(starts_.data() + s * 4 * width_, 4 * width_, state_.data());
        forward(first);
      }
      for (int64_t t = (frames_from(first) - 1) / kCtcFrames * kCtcFrames; t >= 0; t -= kCtcFrames) {
        visit(first + t, std::min(kCtcFrames, frames_from(first) - t), t);
      }
    }
  }

  void gradient() {
    CtcGradientTile tile(item_, source_);
    Buffer<float> posterior(kCtcFrames * width_);
    std::fill_n(posterior.data(), kCtcFrames * width_, 0.0f);
    each_tile_backward([&](int64_t first, int64_t n, int64_t t) {
      tile.clear();
      kernel().backward(first, n, width_, emissions_.data() + t * 2 * width_, blank_of(t), skip_.data(),
                        rows_.data() + t * 4 * width_, 1 / z_mantissa_, z_power_, after_.data(),
                        posterior.data(), tile.blank_parts());
      tile.add(0, width_, posterior.data(), width_);
      tile.write(first, n);
    });
  }

  const CtcItem<float>& item_;
  CtcEmissions& source_;
  const int64_t width_, frames_;  // of a segment
  Buffer<float> skip_, state_, starts_, rows_, scores_, emissions_, blank_, after_;
  float largest_score_ = 0, z_mantissa_ = 0, z_power_ = 0;
};

}  // namespace

std::optional<double> ctc_exact_loss(const CtcItem<float>& item, CtcEmissions& emissions) {
  return ExactLoss(item, emissions).run();
}

bool ctc_exact_path_posterior(const CtcItem<float>& item, CtcEmissions& emissions, const int32_t* states,
                              Interrupt& interrupt, double* posterior) {
  return ExactLoss(item, emissions).path_posterior(states, interrupt, posterior);
}

}  // namespace unrolled
