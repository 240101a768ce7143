// Levenshtein distances of pairs of sequences, and the steps of a cheapest way from one to the other.
#pragma once

#include <cstdint>
#include <vector>

namespace unrolled {

// N pairs; sequence n of a side is tokens[offsets[n]] .. tokens[offsets[n + 1] - 1].
struct SequencePairs {
  int64_t N;
  const int32_t *references, *hypotheses;
  const int64_t *reference_offsets, *hypothesis_offsets;
};

enum class EditStep : uint8_t { keep = 0, substitute = 1, remove = 2, insert = 3 };

// distances (N)
void edit_distances(const SequencePairs& pairs, int64_t* distances);

// The steps of every pair, first token first. Of several cheapest ways the one is taken that, from the end
// backwards, prefers a pair of tokens to a removal, and a removal to an insertion.
std::vector<std::vector<EditStep>> edit_paths(const SequencePairs& pairs);

}  // namespace unrolled
