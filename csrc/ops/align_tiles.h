// Alignment by tiles in float32: many times quicker than by rows, and as good a path to within some
// roundings.
#pragma once

#include "ops/align_item.h"

namespace unrolled {

bool fits_tiles(const AlignItem<float>& item);

// As align_rows, 1 <= L.
bool align_tiles(const AlignItem<float>& item, int32_t* states, Interrupt& interrupt);

}  // namespace unrolled
