#include "search/emissions.h"

#include <limits>
#include <sstream>
#include <stdexcept>

namespace unrolled::search {
namespace {

// Rounding of a log_softmax in half precision leaves this much.
constexpr double kMostLogProbability = 1e-3;

[[noreturn]] void refuse(int64_t item, int64_t frame, int64_t symbol, double score) {
  std::ostringstream text;
  text << "log_probs must be natural log-probabilities";
  text << ": " << score << " at ";
  if (item >= 0) text << "item " << item << ", ";
  text << "frame " << frame << ", class " << symbol << "; apply log_softmax first";
  throw std::invalid_argument(text.str());
}

[[noreturn]] void refuse_frame(int64_t item, int64_t frame, bool masked) {
  std::ostringstream text;
  text << "log_probs are -inf for all classes" << (masked ? " that `allowed` permits" : "") << " at ";
  if (item >= 0) text << "item " << item << ", ";
  text << "frame " << frame << ": at least one must be possible";
  throw std::invalid_argument(text.str());
}

}  // namespace

template <class Score>
void check_emissions(const EmissionRows<Score>& rows, int64_t blank, int64_t first_frame) {
  for (int64_t t = 0; t < rows.frames; ++t) {
    const Score* row = rows.row(t);
    const bool* allowed = rows.allowed_row(t);
    bool possible = false;
    for (int64_t c = 0; c < rows.classes; ++c) {
      if (!(row[c] <= Score(kMostLogProbability))) {
        refuse(rows.item, first_frame + t, c, static_cast<double>(row[c]));
      }
      possible |= row[c] > -std::numeric_limits<Score>::infinity() && (!allowed || allowed[c] || c == blank);
    }
    if (!possible) refuse_frame(rows.item, first_frame + t, allowed != nullptr);
  }
}

template void check_emissions(const EmissionRows<float>&, int64_t, int64_t);
template void check_emissions(const EmissionRows<double>&, int64_t, int64_t);

}  // namespace unrolled::search
