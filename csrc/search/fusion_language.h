// What language models of all kinds have in common: their weights, and what a label is for them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "search/fusion_part.h"

namespace unrolled::search {

struct LanguageWeights {
  double lm;       // multiplies natural logarithms of probabilities, unknown_offset included
  double unit;     // added for each unit
  double unknown;  // added to the probability of units that the model does not know
  bool scores_end;

  // What a unit of this log probability adds; impossible units stay so with lm = 0 too.
  double of(double log_probability) const {
    return log_probability == kForbidden ? kForbidden : lm * log_probability + unit;
  }
};

// Units are what the labels write: of each class in order; a class whose first unit is a space between words
// (`leading_space`) leaves it out at the start of the text.
struct LabelUnits {
  std::vector<std::vector<std::string>> units;
  std::vector<uint8_t> leading_space;

  std::span<const std::string> of(uint32_t state, int32_t token) const {
    const auto c = static_cast<std::size_t>(token);
    return std::span(units[c]).subspan(state == 0 && leading_space[c] ? 1 : 0);
  }
};

}  // namespace unrolled::search
