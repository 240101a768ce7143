// CTC in log space and double: whatever the input's range, and for double's digits.
#pragma once

#include "ops/ctc_item.h"

namespace unrolled {

// The loss, inf without a path, NaN where a score that is read is NaN or +inf. The gradient is written only
// where the loss is finite.
template <class Real>
double ctc_log_loss(const CtcItem<Real>& item);

// As `ctc_states` of ops/ctc.h.
template <class Real>
void ctc_log_states(const CtcItem<Real>& item, double* log_alpha, double* log_beta_hat, double* log_beta);

}  // namespace unrolled
