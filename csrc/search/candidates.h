// One frame's candidates as a list, for the search with fusion.
#pragma once

#include "search/beam.h"
#include "search/excluded_pairs.h"
#include "search/frame_symbols.h"

namespace unrolled::search {

// All pairs that are not excluded with a mass above 0 and not below `least`, before any weight.
void find_candidates(const Beam<double>& beam, const FrameSymbols<double>& symbols,
                     const ExcludedPairs& excluded, int32_t blank, double least, Candidates<double>& found);

}  // namespace unrolled::search
