#include "ops/ctc_linear.h"

#include <algorithm>
#include <cmath>

#include "dispatch.h"
#include "ops/ctc_gradient.h"
#include "ops/matmul.h"

namespace unrolled {
namespace {

constexpr double kLn2 = 0.693147180559945309;
// The states of so many pairs are kept; of longer problems those at the start of each tile, whose frames are
// computed twice: that is quicker than memory.
constexpr int64_t kMostPairs = 1 << 17;
constexpr int64_t kGroups = kCtcFrames / kCtcGroup;
constexpr int kLargestPower = kCtcLargestPower, kLeastTop = 30;

const CtcLinearKernels& kernel() { return kernels<float>().ctc_linear; }

// The power of two by which each step into a symbol counts, so that in a chain of endless symbols, all with
// the mean emissions, the bulk of the paths advances at the speed L / T. Of that chain the growth rate rho
// solves rho^2 - (blank + (1 + lambda) symbol) rho + blank symbol = 0, and the speed is lambda rho'(lambda) /
// rho.
int tilt_power(double blank, double symbol, double speed) {
  constexpr int kMost = 16;
  if (symbol <= 0) return 0;
  if (speed >= 1) return kMost;
  const double r2 = speed * speed, sum = blank + symbol, difference = blank - symbol;
  const double step =
      (r2 * sum + std::sqrt(r2 * r2 * sum * sum + (1 - r2) * r2 * difference * difference)) / (1 - r2);
  return static_cast<int>(std::lround(std::clamp(std::log2(step / symbol), -1.0 * kMost, 1.0 * kMost)));
}

class LinearLoss {
 public:
  LinearLoss(const CtcItem<float>& item, CtcEmissions& emissions)
      : item_(item),
        source_(emissions),
        lanes_(kernel().lanes),
        width_(emissions.width()),
        block_(kCtcMostVectors * lanes_),
        blocks_((width_ + block_ - 1) / block_),
        tiles_((item.T + kCtcFrames - 1) / kCtcFrames),
        kept_(item.T * width_ <= kMostPairs),
        skip_(width_),
        state_(2 * width_),
        alpha_(kept_ ? item.T * 2 * width_ : kCtcFrames * 2 * block_),
        starts_(kept_ ? 0 : tiles_ * 2 * width_),
        handed_((4 + (kept_ ? 0 : tiles_ * blocks_)) * kCtcFrames),
        emission_(kCtcFrames * block_),
        posterior_(kCtcFrames * block_),
        power_(blocks_),
        start_power_(kept_ ? 0 : tiles_ * blocks_),
        alpha_power_(tiles_ * blocks_ * kGroups),
        beta_power_(blocks_ * kGroups) {}

  std::optional<double> run() {
    if (!choose_scales()) return {};
    const double upper = forward();
    if (!std::isfinite(upper)) return {};
    const double lower = backward();
    // Rounding alone takes the two apart by some 1e-7 times the root of the number of frames. What is
    // allowed here is about the largest error of a posterior.
    const double allowed = 1e-6 + 1e-7 * std::sqrt(static_cast<double>(item_.T));
    if (!within_ || !(upper - lower < allowed)) {
      source_.spoil_rows();
      return {};
    }
    return upper - static_cast<double>(item_.L) * tilt_ * kLn2 + source_.log_scales();
  }

 private:
  bool choose_scales() {
    const auto frames = static_cast<double>(item_.T);
    tilt_ = tilt_power(source_.mean_blank(), source_.mean_symbol(), static_cast<double>(item_.L) / frames);
    const float lambda = std::ldexp(1.0f, tilt_);
    for (int64_t i = 0; i < width_; ++i) skip_[i] = i < item_.L && item_.follows(i) ? lambda : 0;
    // The largest number grows by no more than this in a frame, and neither does what underflow takes.
    const double growth = std::max(2.0, 1.0 + 2.0 * static_cast<double>(lambda)) *
                          std::max(1.0, static_cast<double>(source_.largest()));
    const int bits = static_cast<int>(std::ceil(std::log2(growth) * kCtcGroup));
    top_ = kLargestPower - bits - 1;
    floor_ = std::ldexp(1.0f, 3 + bits - 126);
    return source_.in_range() && top_ >= kLeastTop;
  }

  // Block b has states that count somewhere in the tile from frame t on.
  bool active(int64_t t, int64_t b) const {
    const int64_t first = b * block_, last = std::min(first + block_, width_) - 1;
    return first <= t + kCtcFrames && last >= item_.L - item_.T + t - 1;
  }
  int64_t pairs(int64_t b) const { return std::min(block_, width_ - b * block_); }

  float* handed(int64_t tile, int64_t b) {
    return handed_.data() + (kept_ ? b % 2 : 4 + tile * blocks_ + b) * kCtcFrames;
  }
  float* handed_back(int64_t b) { return handed_.data() + (2 + b % 2) * kCtcFrames; }
  int32_t* alpha_power(int64_t tile, int64_t b) {
    return alpha_power_.data() + (tile * blocks_ + b) * kGroups;
  }

  CtcLinearTile make_tile(int64_t tile, int64_t b) {
    const int64_t t = tile * kCtcFrames, first = b * block_, n = std::min(kCtcFrames, item_.T - t);
    const CtcEmissions::Block emission = source_.block(t, n, first, pairs(b), emission_.data());
    CtcLinearTile x = {};
    x.frames = n;
    x.vectors = pairs(b) / lanes_;
    x.emission = emission.data;
    x.emission_stride = emission.stride;
    x.blank = source_.blank(t);
    x.skip = skip_.data() + first;
    x.lambda = std::ldexp(1.0f, tilt_);
    x.floor = floor_;
    x.top = top_;
    x.reach = std::max<int64_t>(t - 1, 0) - first;
    x.need = item_.L - item_.T + t - 1 - first;
    x.state = state_.data() + 2 * first;
    x.power = power_.data() + b;
    x.alpha = kept_ ? alpha_.data() + t * 2 * width_ + 2 * first : alpha_.data();
    x.alpha_stride = kept_ ? 2 * width_ : 2 * pairs(b);
    x.alpha_power = alpha_power(tile, b);
    return x;
  }

  // All 0 but the blank of one pair: the way in, or out.
  void set_state(int64_t pair) {
    std::fill_n(state_.data(), 2 * width_, 0.0f);
    std::fill_n(power_.data(), blocks_, 0);
    state_[gap(pair)] = 1;
  }
  int64_t gap(int64_t pair) const {
    const int64_t b = pair / block_;
    return 2 * b * block_ + pairs(b) + pair % block_;
  }
  int64_t symbol(int64_t pair) const { return gap(pair) - pairs(pair / block_); }

  void take_inflow(CtcLinearTile& x, int64_t tile, int64_t b) {
    if (b == 0 || !active(tile * kCtcFrames, b - 1)) return;
    x.inflow = handed(tile, b - 1);
    x.inflow_power = alpha_power(tile, b - 1);
  }

  double forward() {
    set_state(0);
    for (int64_t tile = 0; tile < tiles_; ++tile) {
      for (int64_t b = 0; b < blocks_; ++b) {
        if (!active(tile * kCtcFrames, b)) continue;
        CtcLinearTile x = make_tile(tile, b);
        if (!kept_) {
          std::copy_n(x.state, 2 * pairs(b), starts_.data() + tile * 2 * width_ + 2 * b * block_);
          start_power_[tile * blocks_ + b] = power_[b];
          x.alpha = nullptr;
        }
        x.outflow = handed(tile, b);
        take_inflow(x, tile, b);
        kernel().forward(x);
      }
    }
    const int64_t L = item_.L, b = L / block_;
    const double blank = log2_of(state_[gap(L)] + floor_, power_[b]);
    const double label =
        L == 0 ? -kCtcInfinity : log2_of(state_[symbol(L - 1)] + floor_, power_[(L - 1) / block_]);
    const double most = std::max(blank, label);
    const double log2_z = most + std::log2(std::exp2(blank - most) + std::exp2(label - most));
    if (std::isfinite(log2_z)) z_power_ = static_cast<int32_t>(std::floor(log2_z));
    return log2_z * kLn2;
  }

  static double log2_of(float x, int32_t power) { return std::log2(static_cast<double>(x)) + power; }

  // The states of a tile once more, for the backward pass.
  void recompute(CtcLinearTile x, int64_t tile, int64_t b) {
    float state[2 * kCtcMostVectors * kCtcFrames], outflow[kCtcFrames];
    int32_t power = start_power_[tile * blocks_ + b];
    std::copy_n(starts_.data() + tile * 2 * width_ + 2 * b * block_, 2 * pairs(b), state);
    x.state = state;
    x.power = &power;
    x.outflow = outflow;
    take_inflow(x, tile, b);
    kernel().forward(x);
  }

  double backward() {
    std::optional<CtcGradientTile> gradient;
    if (item_.grad) gradient.emplace(item_, source_);
    std::fill_n(posterior_.data(), kCtcFrames * block_, 0.0f);
    set_state(item_.L);
    for (int64_t tile = tiles_ - 1; tile >= 0; --tile) {
      if (gradient) gradient->clear();
      for (int64_t b = blocks_ - 1; b >= 0; --b) {
        if (active(tile * kCtcFrames, b)) backward_tile(tile, b, gradient ? &*gradient : nullptr);
      }
      const int64_t t = tile * kCtcFrames;
      if (gradient) gradient->write(t, std::min(kCtcFrames, item_.T - t));
    }
    return log2_of(lambda_sum(), power_[0]) * kLn2;
  }

  // Into the first pair from before the first frame: its blank, or its symbol.
  float lambda_sum() const { return state_[gap(0)] + std::ldexp(state_[symbol(0)], tilt_); }

  void backward_tile(int64_t tile, int64_t b, CtcGradientTile* gradient) {
    CtcLinearTile x = make_tile(tile, b);
    const int64_t t = tile * kCtcFrames;
    if (gradient && !kept_) recompute(x, tile, b);
    x.reach = t - b * block_;
    x.need = item_.L - item_.T + t - b * block_;
    x.outflow = handed_back(b);
    if (b + 1 < blocks_ && active(t, b + 1)) {
      x.inflow = handed_back(b + 1);
      x.inflow_power = beta_power_.data() + (b + 1) * kGroups;
    }
    x.beta_power = beta_power_.data() + b * kGroups;
    x.z_power = z_power_;
    x.posterior = gradient ? posterior_.data() : nullptr;
    x.blank_posterior = gradient ? gradient->blank_parts() : nullptr;
    within_ &= kernel().backward(x);
    if (gradient) gradient->add(b * block_, pairs(b), posterior_.data(), pairs(b));
  }

  const CtcItem<float>& item_;
  CtcEmissions& source_;
  const int64_t lanes_, width_, block_, blocks_, tiles_;
  const bool kept_;
  // handed_: two rows forwards, two backwards, and those of all tiles where states are computed twice.
  Buffer<float> skip_, state_, alpha_, starts_, handed_, emission_, posterior_;
  Buffer<int32_t> power_, start_power_, alpha_power_, beta_power_;
  int tilt_ = 0, top_ = 0;
  float floor_ = 0;
  int32_t z_power_ = 0;
  bool within_ = true;
};

}  // namespace

std::optional<double> ctc_linear_loss(const CtcItem<float>& item, CtcEmissions& emissions) {
  return LinearLoss(item, emissions).run();
}

}  // namespace unrolled
