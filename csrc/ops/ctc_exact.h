// CTC in float32 for any range of probabilities.
#pragma once

#include <optional>

#include "interrupt.h"
#include "ops/ctc_emissions.h"

namespace unrolled {

// The log probability, -inf without a path; writes the gradient where it is finite. Nothing where a score is
// beyond what the kernel takes, NaN among them.
std::optional<double> ctc_exact_loss(const CtcItem<float>& item, CtcEmissions& emissions);

// The posterior (T) of states[t] at each frame t, 0 where that is negative; false as above.
bool ctc_exact_path_posterior(const CtcItem<float>& item, CtcEmissions& emissions, const int32_t* states,
                              Interrupt& interrupt, double* posterior);

}  // namespace unrolled
