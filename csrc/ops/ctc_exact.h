// CTC in float32 for any range of probabilities.
#pragma once

#include <optional>

#include "ops/ctc_emissions.h"

namespace unrolled {

// The log probability, -inf without a path; writes the gradient where it is finite. Nothing where a score is
// beyond what the kernel takes, NaN among them.
std::optional<double> ctc_exact_loss(const CtcItem<float>& item, CtcEmissions& emissions);

}  // namespace unrolled
