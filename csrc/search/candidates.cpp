#include "search/candidates.h"

namespace unrolled::search {

void find_candidates(const Beam<double>& beam, const FrameSymbols<double>& symbols,
                     const ExcludedPairs& excluded, int32_t blank, double least, Candidates<double>& found) {
  for (int64_t i = 0; i < symbols.count(); ++i) {
    const int32_t symbol = symbols.symbol(i);
    if (symbol == blank) continue;
    const double probability = symbols.probability(symbol);
    for (int64_t place = 0; place < beam.size(); ++place) {
      const auto k = static_cast<std::size_t>(place);
      const double mass = (beam.last[k] == symbol ? beam.blank[k] : beam.total[k]) * probability;
      if (!(mass > 0) || mass < least || excluded.has(symbol, place)) continue;
      found.mass.push_back(mass);
      found.place.push_back(static_cast<int32_t>(place));
      found.symbol.push_back(symbol);
    }
  }
}

}  // namespace unrolled::search
