// A lexicon: texts of known words alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "search/fusion_part.h"
#include "search/trie.h"

namespace unrolled::search {

// A word is known by its letters, in whatever labels they come, or by sequences of labels.
struct LexiconWords {
  Sequences labels;     // the letters of each class
  Sequences words;      // letters
  Sequences spellings;  // labels
};

std::shared_ptr<FusionSource> make_lexicon(FusionLabels labels, LexiconWords words);

}  // namespace unrolled::search
