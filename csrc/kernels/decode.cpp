#include "kernels/decode.h"

#include "kernels/simd_compress.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real, bool kMax>
UNROLLED_INLINE Real merge(Real a, Real b) {
  return kMax ? (a > b ? a : b) : a + b;
}
template <class Real, bool kMax>
UNROLLED_INLINE Vec<Real> merge_lanes(Vec<Real> a, Vec<Real> b) {
  return kMax ? max(a, b) : a + b;
}

template <class Real>
UNROLLED_INLINE Vec<Real> pick(const Real* table, const int32_t* index) {
  Vec<Real> v;
  for (int64_t i = 0; i < kWidth<Real>; ++i) v[i] = table[index[i]];
  return v;
}

template <class Real, bool kMax>
UNROLLED_INLINE void merge_into_child(const DecodeBeam<Real>& from, const DecodeSymbols<Real>& symbols,
                                      const Real* step, const DecodePairs& pairs, int64_t k, Real* label,
                                      int64_t& excluded) {
  const int32_t parent = from.parent[k], symbol = from.last[k];
  Real mass = (from.last[parent] == symbol ? from.blank[parent] : from.total[parent]) *
              symbols.probability_of_class[symbol];
  if (step) mass *= step[k];
  label[k] = merge<Real, kMax>(label[k], mass);
  const int64_t word = symbol * pairs.words + parent / 16;
  pairs.bits[word] = static_cast<uint16_t>(pairs.bits[word] | 1U << (parent % 16));
  pairs.dirty[excluded++] = word;
}

template <class Real, bool kMax>
typename DecodeKernels<Real>::Range stay(const DecodeBeam<Real>& from, const DecodeSymbols<Real>& symbols,
                                         const Real* step, const DecodePairs& pairs,
                                         const DecodeBeam<Real>& to) {
  constexpr int64_t W = kWidth<Real>;
  constexpr Real kInf = static_cast<Real>(__builtin_huge_val());
  const Real blank = symbols.probability_of_class[symbols.blank];
  int64_t excluded = 0;
  for (int64_t i = 0; i < from.count; i += W) {
    const Vec<Real> again = pick(symbols.probability_of_class, from.last + i);
    store(to.blank + i, load(from.total + i) * blank);
    store(to.label + i, load(from.label + i) * again);
  }
  for (int64_t k = 0; k < from.count; ++k) {
    if (from.parent[k] < 0 || !(symbols.probability_of_class[from.last[k]] > 0)) continue;
    merge_into_child<Real, kMax>(from, symbols, step, pairs, k, to.label, excluded);
  }
  Vec<Real> least = broadcast(kInf), most = {};
  for (int64_t i = 0; i < from.count; i += W) {
    const Vec<Real> total = merge_lanes<Real, kMax>(load(to.blank + i), load(to.label + i));
    store(to.total + i, total);
    most = max(total, most);
    const Vec<Real> counted = lanes_between<Real>(0, from.count - i) ? total : broadcast(kInf);
    least = counted < least ? counted : least;
  }
  return {-max_lanes<Real>(-least), max_lanes<Real>(most), excluded};
}

// W bits of a row of pairs from place i on.
template <class Real>
UNROLLED_INLINE unsigned pair_bits(const uint16_t* row, int64_t i) {
  return (static_cast<unsigned>(row[i / 16]) >> (i % 16)) & ((1U << kWidth<Real>)-1);
}

template <class Real>
UNROLLED_INLINE IntVec<Real> widen(IndexVec<Real> v) {
  return __builtin_convertvector(v, IntVec<Real>);
}

template <class Real>
int64_t extend(const DecodeBeam<Real>& from, const DecodeSymbols<Real>& symbols, const DecodePairs& pairs,
               Real least, Real most, Real* mass, int32_t* place, int64_t* ends) {
  const Vec<Real> bound = broadcast(least);
  int64_t found = 0;
  for (int64_t j = 0; j < symbols.count; ++j) {
    const int32_t symbol = symbols.symbol[j];
    const Real probability = symbols.probability[j];
    if (symbol != symbols.blank && probability * most >= least) {
      const uint16_t* row = pairs.bits + symbol * pairs.words;
      for (int64_t i = 0; i < from.count; i += kWidth<Real>) {
        const auto repeats = widen<Real>(load_index<Real>(from.last + i)) == symbol;
        const Vec<Real> m = (repeats ? load(from.blank + i) : load(from.total + i)) * probability;
        const unsigned bits = bits_at_least<Real>(m, bound) & ~pair_bits<Real>(row, i);
        if (!bits) continue;
        compress<Real>(mass + found, m, bits);
        found += compress<Real>(place + found, lane_numbers<Real>(static_cast<int32_t>(i)), bits);
      }
    }
    ends[j] = found;
  }
  store(mass + found, Vec<Real>{});
  return found;
}

template <class Real>
UNROLLED_INLINE int64_t count_at_least(int64_t n, const Real* mass, Real least) {
  const Vec<Real> bound = broadcast(least);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kWidth<Real>) {
    count += __builtin_popcount(bits_at_least<Real>(load(mass + i), bound));
  }
  return count;
}

// Positive numbers are in the order of their bits.
UNROLLED_INLINE int64_t bits_of(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
UNROLLED_INLINE int64_t bits_of(double x) {
  int64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
template <class Real>
UNROLLED_INLINE Real of_bits(int64_t bits) {
  const auto own = static_cast<decltype(IntVec<Real>{}[0] + 0)>(bits);
  Real x;
  std::memcpy(&x, &own, sizeof x);
  return x;
}

// Between a mass that too many reach and one that too few do, until exactly `width` reach it or nothing lies
// between. The place of the next try is read from the counts; every third time it is the middle, which bounds
// the number of tries.
template <class Real>
typename DecodeKernels<Real>::Cut cut(int64_t n, const Real* mass, int64_t m, const Real* more, int64_t width,
                                      Real least, Real most) {
  const auto count_from = [=](Real bound) {
    return count_at_least(n, mass, bound) + count_at_least(m, more, bound);
  };
  int64_t at_low = n + m <= width ? 0 : count_from(least), at_high = 0;
  if (at_low <= width) return {least, -1};
  int64_t low = bits_of(least), high = bits_of(most) + 1;
  for (int round = 1; high - low > 1; ++round) {
    const double share =
        round % 3 == 0 ? 0.5 : static_cast<double>(at_low - width) / static_cast<double>(at_low - at_high);
    int64_t middle = low + static_cast<int64_t>(static_cast<double>(high - low) * share);
    middle = middle <= low ? low + 1 : middle >= high ? high - 1 : middle;
    const int64_t count = count_from(of_bits<Real>(middle));
    if (count == width) return {of_bits<Real>(middle), -1};
    if (count > width) {
      low = middle, at_low = count;
    } else {
      high = middle, at_high = count;
    }
  }
  return {of_bits<Real>(low), width - at_high};
}

template <class Real>
int64_t keep(const DecodeBeam<Real>& from, Real least, const DecodeBeam<Real>& to, int32_t* place) {
  constexpr int64_t W = kWidth<Real>;
  const Vec<Real> bound = broadcast(least);
  int64_t kept = 0;
  for (int64_t i = 0; i < from.count; i += W) {
    const Vec<Real> total = load(from.total + i);
    const unsigned bits = bits_at_least<Real>(total, bound);
    for (int64_t lane = 0, at = kept; lane < W; ++lane) {
      place[i + lane] = (bits >> lane) & 1 ? static_cast<int32_t>(at++) : -1;
    }
    compress<Real>(to.blank + kept, load(from.blank + i), bits);
    compress<Real>(to.label + kept, load(from.label + i), bits);
    compress<Real>(to.last + kept, load_index<Real>(from.last + i), bits);
    compress<Real>(to.parent + kept, load_index<Real>(from.parent + i), bits);
    compress<Real>(to.node + kept, load_index<Real>(from.node + i), bits);
    kept += compress<Real>(to.total + kept, total, bits);
  }
  return kept;
}

template <class Real>
int64_t choose(int64_t n, const Real* mass, const int32_t* place, Real least, Real* to_mass,
               int32_t* to_place, int32_t* number) {
  const Vec<Real> bound = broadcast(least);
  int64_t chosen = 0;
  for (int64_t i = 0; i < n; i += kWidth<Real>) {
    const Vec<Real> m = load(mass + i);
    const unsigned bits = bits_at_least<Real>(m, bound);
    if (!bits) continue;
    compress<Real>(to_mass + chosen, m, bits);
    compress<Real>(to_place + chosen, load_index<Real>(place + i), bits);
    chosen += compress<Real>(number + chosen, lane_numbers<Real>(static_cast<int32_t>(i)), bits);
  }
  return chosen;
}

}  // namespace

template <class Real>
DecodeKernels<Real> decode_kernels() {
  return {largest<Real>, {stay<Real, false>, stay<Real, true>}, extend<Real>, cut<Real>, keep<Real>,
          choose<Real>};
}
template DecodeKernels<float> decode_kernels();
template DecodeKernels<double> decode_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
