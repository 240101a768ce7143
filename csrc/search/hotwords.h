// Hotwords: phrases that add to the score of the texts that hold them, found by the automaton of Aho and
// Corasick ("Efficient string matching", 1975) over characters.
#pragma once

#include <memory>
#include <vector>

#include "search/fusion_part.h"
#include "search/trie.h"

namespace unrolled::search {

// Between words; labels and phrases spell it, and repeats count once.
inline constexpr int32_t kWordBoundary = ' ';

struct Hotwords {
  Sequences labels;   // the characters of each class
  Sequences phrases;  // a boundary at either end where only whole words count
  std::vector<double> weights;
};

// While a phrase is unfinished its prefix has credit: the share of the weight that its characters are of the
// phrase's, rounded down to a multiple of 2^-20; of several phrases that it may become, the largest. When the
// phrase breaks off the credit is taken back, when it is complete the weight stays. Phrases that overlap, and
// phrases within phrases, all count.
std::shared_ptr<FusionSource> make_hotwords(Hotwords hotwords);

}  // namespace unrolled::search
