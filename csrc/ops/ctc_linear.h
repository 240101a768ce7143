// CTC in float32 on plain probabilities, where it can be shown that nothing was lost.
#pragma once

#include <optional>

#include "ops/ctc_emissions.h"

namespace unrolled {

// The log probability, and the gradient written; nothing where the range of a float may not have been enough.
std::optional<double> ctc_linear_loss(const CtcItem<float>& item, CtcEmissions& emissions);

}  // namespace unrolled
