#include "kernels/decode.h"

#include "kernels/class_lookup.h"
#include "kernels/simd_compress.h"
#include "kernels/simd_extremes.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// The smallest normal number: what is less counts as 0.
template <class Real>
inline constexpr Real kLeast = sizeof(Real) == 4 ? Real(1.17549435e-38) : Real(2.2250738585072014e-308);

template <class Real, bool kMax>
UNROLLED_INLINE Real merge(Real a, Real b) {
  return kMax ? (a > b ? a : b) : a + b;
}
template <class Real, bool kMax>
UNROLLED_INLINE Vec<Real> merge_lanes(Vec<Real> a, Vec<Real> b) {
  return kMax ? max(a, b) : a + b;
}

template <class Real>
UNROLLED_INLINE Vec<Real> gather(const Real* table, const int32_t* index) {
#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64
  if constexpr (sizeof(Real) == 4) {
    return _mm512_mask_i32gather_ps(Vec<Real>{}, 0xffff, (__m512i)load_index<Real>(index), table, 4);
  } else {
    return _mm512_mask_i32gather_pd(Vec<Real>{}, 0xff, (__m256i)load_index<Real>(index), table, 8);
  }
#else
  Vec<Real> v;
  for (int64_t i = 0; i < kWidth<Real>; ++i) v[i] = table[index[i]];
  return v;
#endif
}

// Bit i: a[i] >= 0.
template <class Real>
UNROLLED_INLINE unsigned bits_not_negative(const int32_t* a) {
  return ~sign_bits<Real>(load_index<Real>(a)) & ((1U << kWidth<Real>)-1);
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
  const auto stay_all = [&](auto probability_of) {
    for (int64_t i = 0; i < from.count; i += W) {
      const Vec<Real> again = probability_of(from.last + i);
      store(to.blank + i, load(from.total + i) * blank);
      store(to.label + i, load(from.label + i) * again);
      unsigned children =
          bits_not_negative<Real>(from.parent + i) & bits_at_least<Real>(again, broadcast(kLeast<Real>));
      for (; children; children &= children - 1) {
        const int64_t k = i + __builtin_ctz(children);
        merge_into_child<Real, kMax>(from, symbols, step, pairs, k, to.label, excluded);
      }
    }
  };
  if constexpr (sizeof(Real) == 4) {
    if (symbols.classes <= kMostTableClasses) {
      with_table_pairs(symbols.classes, [&]<int kPairs>() {
        const ClassTable<kPairs> table(symbols.probability_of_class, symbols.classes);
        stay_all([&](const int32_t* last) { return table.get(load_lanes(last)); });
      });
    } else {
      stay_all([&](const int32_t* last) { return gather(symbols.probability_of_class, last); });
    }
  } else {
    stay_all([&](const int32_t* last) { return gather(symbols.probability_of_class, last); });
  }
  Vec<Real> least = broadcast(kInf), most = {};
  for (int64_t i = 0; i < from.count; i += W) {
    const Vec<Real> total = merge_lanes<Real, kMax>(load(to.blank + i), load(to.label + i));
    store(to.total + i, total);
    most = max(total, most);
    const Vec<Real> counted = lanes_between<Real>(0, from.count - i) ? total : broadcast(kInf);
    least = counted < least ? counted : least;
  }
  return {least_lane<Real>(least), largest_lane<Real>(most), excluded};
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

// Bit i of W: i < count.
template <class Real>
UNROLLED_INLINE unsigned first_bits(int64_t count) {
  return count < kWidth<Real> ? (1U << count) - 1 : static_cast<unsigned>((uint64_t{1} << kWidth<Real>)-1);
}

// Which symbols are alive cannot be foreseen: they are looked for side by side, and jumps are as many as
// they.
template <class Real>
int64_t extend(const DecodeBeam<Real>& from, const DecodeSymbols<Real>& symbols, const DecodePairs& pairs,
               Real least, Real most, const DecodeCandidates<Real>& to) {
  constexpr int64_t W = kWidth<Real>;
  const Vec<Real> bound = broadcast(least);
  const Vec<Real> first_blank = load(from.blank), first_total = load(from.total);
  const IntVec<Real> first_last = widen<Real>(load_index<Real>(from.last));
  int64_t found = 0;
  const auto extend_all = [&](int32_t symbol, Real probability) {
    const uint16_t* row = pairs.bits + symbol * pairs.words;
    const auto extend_lanes = [&](int64_t i, IntVec<Real> last, Vec<Real> blank, Vec<Real> total) {
      const Vec<Real> m = (last == symbol ? blank : total) * probability;
      const unsigned bits = bits_at_least<Real>(m, bound) & ~pair_bits<Real>(row, i);
      if (!bits) return;
      compress<Real>(to.mass + found, m, bits);
      store_index<Real>(to.symbol + found, IndexVec<Real>{} + symbol);
      found += compress<Real>(to.place + found, lane_numbers<Real>(static_cast<int32_t>(i)), bits);
    };
    if (from.count <= W) return extend_lanes(0, first_last, first_blank, first_total);
    for (int64_t i = 0; i < from.count; i += W) {
      extend_lanes(i, widen<Real>(load_index<Real>(from.last + i)), load(from.blank + i),
                   load(from.total + i));
    }
  };
  for (int64_t first = 0; first < symbols.count; first += W) {
    unsigned alive = bits_at_least<Real>(load(symbols.probability + first) * most, bound) &
                     first_bits<Real>(symbols.count - first);
    for (; alive; alive &= alive - 1) {
      const int64_t j = first + __builtin_ctz(alive);
      if (symbols.symbol[j] != symbols.blank) extend_all(symbols.symbol[j], symbols.probability[j]);
    }
  }
  store(to.mass + found, Vec<Real>{});
  return found;
}

template <class Real>
Real largest_mass(int64_t n, const Real* mass) {
  Vec<Real> most = {};
  for (int64_t i = 0; i < n; i += kWidth<Real>) most = max(most, load(mass + i));
  return largest_lane<Real>(most);
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

// The cut of so few masses that each is compared with all others: no jump depends on them.
template <class Real, int vectors>
typename DecodeKernels<Real>::Cut cut_by_ranks(int64_t n, const Real* mass, int64_t m, const Real* more,
                                               int64_t width) {
  constexpr int64_t W = kWidth<Real>;
  Real all[(vectors + 1) * W] = {};
  for (int64_t i = 0; i < n; i += W) store(all + i, load(mass + i));
  for (int64_t i = 0; i < m; i += W) store(all + n + i, load(more + i));
  Vec<Real> value[vectors];
  IntVec<Real> larger[vectors] = {};  // masses than that of the lane
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) value[v] = load(all + v * W);
  for (int64_t i = 0; i < n + m; ++i) {
    const Vec<Real> x = broadcast(all[i]);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) larger[v] -= x > value[v];
  }
  const IntVec<Real> most_larger = IntVec<Real>{} + static_cast<int32_t>(width - 1);
  Vec<Real> least_kept = broadcast(static_cast<Real>(__builtin_huge_val()));
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) {
    const IntVec<Real> lowers = (larger[v] <= most_larger) & (value[v] < least_kept);
    least_kept = lowers ? value[v] : least_kept;
  }
  const Real least = least_lane<Real>(least_kept);
  int64_t kept = 0, below = 0;
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) {
    kept += __builtin_popcount(bits_at_least<Real>(value[v], broadcast(least)));
    below += __builtin_popcount(bits_at_least<Real>(broadcast(least), value[v]));
  }
  return {least, kept == width ? -1 : width - (vectors * W - below)};
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
  if (n + m <= 2 * kWidth<Real>) return cut_by_ranks<Real, 2>(n, mass, m, more, width);
  if (n + m <= 4 * kWidth<Real>) return cut_by_ranks<Real, 4>(n, mass, m, more, width);
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
    store_index<Real>(place + i, ranks<Real>(bits, static_cast<int32_t>(kept)));
    compress<Real>(to.blank + kept, load(from.blank + i), bits);
    compress<Real>(to.label + kept, load(from.label + i), bits);
    compress<Real>(to.last + kept, load_index<Real>(from.last + i), bits);
    compress<Real>(to.parent + kept, load_index<Real>(from.parent + i), bits);
    compress<Real>(to.node + kept, load_index<Real>(from.node + i), bits);
    kept += compress<Real>(to.total + kept, total, bits);
  }
  for (int64_t k = 0; k < kept; ++k) to.parent[k] = place[to.parent[k]];
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
  return {largest_mass<Real>, {stay<Real, false>, stay<Real, true>}, extend<Real>, cut<Real>, keep<Real>,
          choose<Real>};
}
template DecodeKernels<float> decode_kernels();
template DecodeKernels<double> decode_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
