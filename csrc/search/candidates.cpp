#include "search/candidates.h"

namespace unrolled::search {

template <class Real>
void find_candidates(const Beam<Real>& beam, const FrameSymbols<Real>& symbols, const ExcludedPairs& excluded,
                     int32_t blank, Real least, Candidates<Real>& found) {
  for (int64_t i = 0; i < symbols.count(); ++i) {
    const int32_t symbol = symbols.symbol(i);
    if (symbol == blank) continue;
    const Real probability = symbols.probability(symbol);
    for (int64_t place = 0; place < beam.size(); ++place) {
      const Real mass = mass_before(beam, static_cast<std::size_t>(place), symbol) * probability;
      if (!(mass > 0) || mass < least || excluded.has(i, place)) continue;
      found.mass.push_back(mass);
      found.place.push_back(static_cast<int32_t>(place));
      found.symbol.push_back(symbol);
    }
  }
}

template void find_candidates(const Beam<float>&, const FrameSymbols<float>&, const ExcludedPairs&, int32_t,
                              float, Candidates<float>&);
template void find_candidates(const Beam<double>&, const FrameSymbols<double>&, const ExcludedPairs&, int32_t,
                              double, Candidates<double>&);

}  // namespace unrolled::search
