// A step model, such as a recurrent network, as the language model of a fusion.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "search/fusion_model.h"
#include "search/step_model.h"

namespace unrolled::search {

// What units are to a step model.
struct UnitTokens {
  static constexpr int32_t kNone = -1;

  std::unordered_map<std::string, int32_t> tokens;
  int32_t unknown = kNone;  // kNone: a unit that is not among them must not be
  int32_t first = 0;        // stands before a text
  int32_t end = kNone;      // stands after it; kNone: a text may end anywhere
};

// The first item of the model is what all texts go on from.
std::shared_ptr<const UnitModelSource> make_step_unit_model(std::shared_ptr<const StepModel> model,
                                                            UnitTokens units);

}  // namespace unrolled::search
