#include "kernels/ctc_linear.h"

#include "kernels/ctc_emissions.h"
#include "kernels/simd_permute.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

typedef Vec<float> V;
typedef IntVec<float> I;

constexpr int64_t W = kWidth<float>;
constexpr int32_t kBias = 127;
constexpr float kLargest = 1.7014118e38f;  // 2^127

template <int kHalf>
UNROLLED_INLINE V spread_max(V v) {
  if constexpr (kHalf == 0) {
    return v;
  } else {
    return spread_max<kHalf / 2>(max(v, detail::rotate_lanes<kHalf>(v, detail::LaneIndices<float>{})));
  }
}

UNROLLED_INLINE int32_t biased_power(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits >> 23;
}

// 2^n; 0 where that is below the normal range. n <= 127.
UNROLLED_INLINE float power_of_two(int32_t n) {
  const int32_t bits = n < -126 ? 0 : (n + kBias) << 23;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// x 2^n where that is at most the largest float, n itself anything.
UNROLLED_INLINE float scale_far(float x, int32_t n) {
  n = n > 250 ? 250 : n < -250 ? -250 : n;
  return x * power_of_two(n / 2) * power_of_two(n - n / 2);
}

template <int kVectors>
struct State {
  V label[kVectors], gap[kVectors];
};

template <int kVectors>
UNROLLED_INLINE State<kVectors> load_state(const float* p) {
  State<kVectors> s;
#pragma GCC unroll 4
  for (int k = 0; k < kVectors; ++k) {
    s.label[k] = load(p + k * W);
    s.gap[k] = load(p + (kVectors + k) * W);
  }
  return s;
}

template <int kVectors>
UNROLLED_INLINE void store_state(float* p, const State<kVectors>& s) {
#pragma GCC unroll 4
  for (int k = 0; k < kVectors; ++k) {
    store(p + k * W, s.label[k]);
    store(p + (kVectors + k) * W, s.gap[k]);
  }
}

// Pairs outside `low` .. `high` become 0.
template <int kVectors>
UNROLLED_INLINE void cut(State<kVectors>& s, int64_t low, int64_t high) {
  if (low <= 0 && high >= kVectors * W - 1) [[likely]]
    return;
#pragma GCC unroll 4
  for (int k = 0; k < kVectors; ++k) {
    const I inside = lanes_between<float>(low - k * W, high + 1 - k * W);
    s.label[k] = inside ? s.label[k] : V{};
    s.gap[k] = inside ? s.gap[k] : V{};
  }
}

struct Group {
  float own;  // factor of the block's numbers
  float inflow[kCtcGroup];
  bool nothing;
};

// The power that brings the largest of the block's numbers and of the coming inflow to `top`.
template <int kVectors>
UNROLLED_INLINE Group choose_power(const State<kVectors>& s, const CtcLinearTile& tile, int64_t first,
                                   int64_t frames) {
  V most = max(s.label[0], s.gap[0]);
#pragma GCC unroll 4
  for (int k = 1; k < kVectors; ++k) most = max(most, max(s.label[k], s.gap[k]));
  const int32_t own = biased_power(spread_max<W / 2>(most)[0]);
  float largest = 0;
  for (int64_t f = 0; f < frames && tile.inflow; ++f) {
    const float x = tile.inflow[first + f];
    largest = x > largest ? x : largest;
  }
  const int32_t other = biased_power(largest), before = *tile.power;
  Group group = {1.0f, {}, own == 0 && other == 0};
  if (group.nothing) return group;
  const int32_t other_power = other == 0 ? 0 : tile.inflow_power[first / kCtcGroup];
  int32_t highest = own == 0 ? kCtcNothing : before + own;
  if (other != 0 && other_power + other > highest) highest = other_power + other;
  int32_t power = highest - kBias - tile.top;
  if (own != 0 && before - power > 126) power = before - 126;  // the rest at the next choice
  *tile.power = power;
  if (own != 0) group.own = power_of_two(before - power);
  for (int64_t f = 0; f < frames && other != 0; ++f) {
    group.inflow[f] = scale_far(tile.inflow[first + f], other_power - power);
  }
  return group;
}

// All states times the group's factor, those of the cone plus `floor`, the others 0. The floor is what may
// have been lost before, at the old power, or is lost now.
template <int kVectors>
UNROLLED_INLINE void rescale(State<kVectors>& s, const Group& group, float floor, int64_t low, int64_t high) {
  if (group.nothing) return;
  if (group.own > 1) floor *= group.own;
#pragma GCC unroll 4
  for (int k = 0; k < kVectors; ++k) {
    s.label[k] = s.label[k] * group.own + floor;
    s.gap[k] = s.gap[k] * group.own + floor;
  }
  cut(s, low, high);
}

template <int kVectors>
void forward_tile(const CtcLinearTile& tile) {
  State<kVectors> s = load_state<kVectors>(tile.state);
  for (int64_t first = 0; first < tile.frames; first += kCtcGroup) {
    const int64_t frames = tile.frames - first < kCtcGroup ? tile.frames - first : kCtcGroup;
    const int64_t low = tile.need + first, high = tile.reach + first;
    cut(s, low, high);
    const Group group = choose_power(s, tile, first, frames);
    rescale(s, group, tile.floor, low, high);
    tile.alpha_power[first / kCtcGroup] = group.nothing ? kCtcNothing : *tile.power;
    // The neighbour's power may be far lower: it cannot make up for what this block loses.
    const bool last_counts = !group.nothing && low < kVectors * W && high >= kVectors * W - 1;
    const float lost = last_counts ? tile.floor : 0;
    for (int64_t f = 0; f < frames; ++f) {
      const int64_t t = first + f;
      const float *emission = tile.emission + t * tile.emission_stride, blank = tile.blank[t];
      tile.outflow[t] = s.label[kVectors - 1][W - 1] + lost;
      V before = broadcast(group.inflow[f]);
#pragma GCC unroll 4
      for (int k = 0; k < kVectors; ++k) {
        const V label = s.label[k], gap = s.gap[k], lower = lanes_before(before, label);
        before = label;
        s.gap[k] = (gap + lower) * blank;
        s.label[k] = (label + tile.lambda * gap + load(tile.skip + k * W) * lower) * load(emission + k * W);
      }
      if (tile.alpha) store_state(tile.alpha + t * tile.alpha_stride, s);
    }
  }
  store_state(tile.state, s);
}

// Factors of alpha and beta in the posterior alpha beta 2^power. A power above 0 goes to alpha alone, which
// is held below 2^127: where it would be larger, beta has underflowed, as no posterior is above 1.
struct Factors {
  float alpha, beta;
};

UNROLLED_INLINE Factors split_factors(int32_t power) {
  if (power < -252) return {0, 0};
  const int32_t of_alpha = power <= 0 ? power / 2 : power;
  return {power_of_two(of_alpha), power_of_two(power - of_alpha)};
}

UNROLLED_INLINE V posterior_of(V alpha, V beta, Factors factors) {
  const V scaled = alpha * factors.alpha;
  return (scaled < kLargest ? scaled : broadcast(kLargest)) * (beta * factors.beta);
}

template <int kVectors, bool kPosterior>
UNROLLED_INLINE void backward_frame(const CtcLinearTile& tile, int64_t t, float inflow, Factors factors,
                                    State<kVectors>& s) {
  const float *emission = tile.emission + t * tile.emission_stride, blank = tile.blank[t];
  const float* alpha = tile.alpha + t * tile.alpha_stride;
  V after = broadcast(inflow), sum = {};
#pragma GCC unroll 4
  for (int k = kVectors - 1; k >= 0; --k) {
    const V label = s.label[k], gap = s.gap[k];
    const V handed = gap + load(tile.skip + k * W) * label;
    const V beta_label = label + lanes_after(handed, after), beta_gap = gap + tile.lambda * label;
    after = handed;
    if constexpr (kPosterior) {
      store(tile.posterior + (t * kVectors + k) * W, posterior_of(load(alpha + k * W), beta_label, factors));
      sum += posterior_of(load(alpha + (kVectors + k) * W), beta_gap, factors);
    }
    s.label[k] = beta_label * load(emission + k * W);
    s.gap[k] = beta_gap * blank;
  }
  tile.outflow[t] = after[0];
  if constexpr (kPosterior) store(tile.blank_posterior + t * W, load(tile.blank_posterior + t * W) + sum);
}

template <int kVectors, bool kPosterior>
bool backward_tile(const CtcLinearTile& tile) {
  State<kVectors> s = load_state<kVectors>(tile.state);
  bool within = true;
  for (int64_t first = (tile.frames - 1) / kCtcGroup * kCtcGroup; first >= 0; first -= kCtcGroup) {
    const int64_t frames = tile.frames - first < kCtcGroup ? tile.frames - first : kCtcGroup;
    const int64_t low = tile.need + first + frames, high = tile.reach + first + frames;
    cut(s, low, high);
    const Group group = choose_power(s, tile, first, frames);
    rescale(s, group, 0.0f, low, high);
    const int64_t g = first / kCtcGroup;
    tile.beta_power[g] = group.nothing ? kCtcNothing : *tile.power;
    const bool counts = kPosterior && !group.nothing && tile.alpha_power[g] != kCtcNothing;
    const int32_t power = counts ? tile.alpha_power[g] + *tile.power - tile.z_power : kCtcNothing;
    within &= power <= 127;
    const Factors factors = split_factors(power <= 127 ? power : kCtcNothing);
    for (int64_t f = frames - 1; f >= 0; --f) {
      backward_frame<kVectors, kPosterior>(tile, first + f, group.inflow[f], factors, s);
    }
  }
  store_state(tile.state, s);
  return within;
}

void forward(const CtcLinearTile& tile) {
  switch (tile.vectors) {
    case 1:
      return forward_tile<1>(tile);
    case 2:
      return forward_tile<2>(tile);
    case 3:
      return forward_tile<3>(tile);
    default:
      return forward_tile<4>(tile);
  }
}

template <bool kPosterior>
bool backward_of(const CtcLinearTile& tile) {
  switch (tile.vectors) {
    case 1:
      return backward_tile<1, kPosterior>(tile);
    case 2:
      return backward_tile<2, kPosterior>(tile);
    case 3:
      return backward_tile<3, kPosterior>(tile);
    default:
      return backward_tile<4, kPosterior>(tile);
  }
}

bool backward(const CtcLinearTile& tile) {
  return tile.posterior ? backward_of<true>(tile) : backward_of<false>(tile);
}

}  // namespace

CtcLinearKernels ctc_linear_kernels() { return {W, forward, backward}; }

}  // namespace unrolled::UNROLLED_LEVEL
