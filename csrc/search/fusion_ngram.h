// An n-gram model as a part of a fusion.
#pragma once

#include <memory>

#include "search/fusion_language.h"
#include "search/ngram.h"

namespace unrolled::search {

// Units are words, each scored when it is complete; empty ones do not count. An unfinished word that no known
// word begins like has weights.lm * weights.unknown of its score at once, if that is below 0: it can become
// none but an unknown word, and what it has left to lose is then told as soon as possible.
std::shared_ptr<FusionSource> make_word_ngram(FusionLabels labels, std::shared_ptr<const NGram> model,
                                              LanguageWeights weights);

// Units are what the labels write.
std::shared_ptr<FusionSource> make_label_ngram(LabelUnits units, std::shared_ptr<const NGram> model,
                                               LanguageWeights weights);

}  // namespace unrolled::search
