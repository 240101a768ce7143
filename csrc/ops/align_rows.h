// Alignment frame by frame in double: any precision, penalty and band.
#pragma once

#include "ops/align_item.h"

namespace unrolled {

// 1 <= T, L <= T. Writes the states (T) and returns true, or leaves them where there is no path.
template <class Real>
bool align_rows(const AlignItem<Real>& item, int32_t* states, Interrupt& interrupt);

}  // namespace unrolled
