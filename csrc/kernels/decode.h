// The inner loops of the prefix beam search: lanes are prefixes, or symbols. Arrays have room for a whole
// vector behind their last element, which may be read and written; masses behind the last are 0.
#pragma once

#include <cstdint>

namespace unrolled {

// The prefixes of a beam, side by side.
template <class Real>
struct DecodeBeam {
  int64_t count;
  Real *blank, *label, *total;  // mass of the paths that end in the blank, in the last symbol, of both
  int32_t* last;                // the last symbol, -1 of the empty prefix
  int32_t* parent;              // the place of the prefix that is one symbol shorter, -1: not in the beam
  int32_t* node;                // of the tree
};

// The symbols of a frame, rising.
template <class Real>
struct DecodeSymbols {
  int64_t count;
  const int32_t* symbol;
  const Real* probability;           // of these
  const Real* probability_of_class;  // 0 of classes that are not among them, and of class -1
  int64_t classes, blank;
};

// Bits of pairs: row of the class, a bit for each place.
struct DecodePairs {
  uint16_t* bits;
  int64_t words;   // of a row
  int64_t* dirty;  // the words that have bits
};

// Prefixes that are one symbol longer than one in the beam: its place, and the symbol.
template <class Real>
struct DecodeCandidates {
  Real* mass;
  int32_t *place, *symbol;
};

template <class Real>
struct DecodeKernels {
  // Of n masses; 0 for none.
  Real (*largest)(int64_t n, const Real* mass);

  struct Range {
    Real least, most;  // of the totals
    int64_t excluded;  // how many words of pairs have bits
  };
  // The masses of the same prefixes one frame later, in the first three arrays of `to`: what is in the beam
  // as a longer prefix gets its parent's paths, and the pair of the parent and the symbol gets a bit. step:
  // null, or a factor for the last symbol of each.
  Range (*stay[2])(const DecodeBeam<Real>& from, const DecodeSymbols<Real>& symbols, const Real* step,
                   const DecodePairs& pairs, const DecodeBeam<Real>& to);  // sum, maximum

  // One symbol more, for all pairs that have no bit: those of mass >= least > 0, by symbol, then by place.
  // most: the largest total. Returns their number.
  int64_t (*extend)(const DecodeBeam<Real>& from, const DecodeSymbols<Real>& symbols,
                    const DecodePairs& pairs, Real least, Real most, const DecodeCandidates<Real>& to);

  // What is above `mass` is kept, and the first `ties` of those equal to it; all of them where that is -1.
  struct Cut {
    Real mass;
    int64_t ties;
  };
  // For the best `width` of the masses of two arrays, if more than that are >= least; else {least, -1}. most:
  // the largest.
  Cut (*cut)(int64_t n, const Real* mass, int64_t m, const Real* more, int64_t width, Real least, Real most);

  // The prefixes with a total >= least, in order; place[k]: where the k-th went, or -1; place[-1] is -1.
  // Returns how many.
  int64_t (*keep)(const DecodeBeam<Real>& from, Real least, const DecodeBeam<Real>& to, int32_t* place);
  // Of n candidates those of mass >= least: their masses, places and numbers.
  int64_t (*choose)(int64_t n, const Real* mass, const int32_t* place, Real least, Real* to_mass,
                    int32_t* to_place, int32_t* number);
};

}  // namespace unrolled
