// Writing sequences for many items over threads.
#pragma once

#include <vector>

#include "interrupt.h"
#include "search/generation.h"

namespace unrolled {

// One for each of the model's items, whose bits depend on that item alone. Throws std::invalid_argument.
std::vector<search::WrittenItem> generate(const search::StepModel& model,
                                          const search::GenerationSettings& settings,
                                          const search::GenerationInputs& inputs, Interrupt& interrupt);

}  // namespace unrolled
