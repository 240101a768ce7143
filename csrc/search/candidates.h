// One frame's candidates, without fusion.
#pragma once

#include "search/beam.h"
#include "search/excluded_pairs.h"
#include "search/frame_symbols.h"

namespace unrolled::search {

// A candidate's mass before its symbol's probability: a symbol that repeats the last one needs a blank
// between them.
template <class Real>
inline Real mass_before(const Beam<Real>& beam, std::size_t place, int32_t symbol) {
  return beam.last[place] == symbol ? beam.blank[place] : beam.total[place];
}

// All pairs that are not excluded with a mass above 0 and not below `least`.
template <class Real>
void find_candidates(const Beam<Real>& beam, const FrameSymbols<Real>& symbols, const ExcludedPairs& excluded,
                     int32_t blank, Real least, Candidates<Real>& found);

}  // namespace unrolled::search
