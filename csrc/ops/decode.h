// CTC prefix beam search over a batch, an item a task.
#pragma once

#include <vector>

#include "search/idle_streams.h"

namespace unrolled {

// Of N utterances of up to T frames.
template <class Score>
struct DecodeBatch {
  int64_t N, T;
  const int64_t* lengths;  // (N)
  const Score* scores;     // (N, T, C)
  const bool* allowed;     // null, or rows of C
  int64_t allowed_item_stride, allowed_frame_stride;
  Score* copy = nullptr;  // or (N, T, C): the true frames are copied there and read from there
};

// What searches with the same settings and fusion leave for the next ones.
struct IdleDecodeStreams {
  search::IdleStreams<float> singles;
  search::IdleStreams<double> doubles;
};

// The best `count` hypotheses of each item, best first. Fusion that calls Python is left to the calling
// thread, which then holds the GIL.
template <class Score>
std::vector<std::vector<search::Hypothesis>> decode(const search::BeamSettings& settings,
                                                    const search::Fusion* fusion,
                                                    const DecodeBatch<Score>& batch, int64_t count,
                                                    IdleDecodeStreams& idle, Interrupt& interrupt);

// Masses are kept in float32 where emissions are and nothing asks for more.
bool decodes_in_float(const search::BeamSettings& settings, const search::Fusion* fusion);

}  // namespace unrolled
