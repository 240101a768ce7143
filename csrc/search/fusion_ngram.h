// An n-gram model as a part of a fusion.
#pragma once

#include <memory>

#include "search/fusion_language.h"
#include "search/ngram.h"

namespace unrolled::search {

// Units are words, each scored when it is complete; empty ones do not count.
std::shared_ptr<FusionSource> make_word_ngram(FusionLabels labels, std::shared_ptr<const NGram> model,
                                              LanguageWeights weights);

// Units are what the labels write.
std::shared_ptr<FusionSource> make_label_ngram(LabelUnits units, std::shared_ptr<const NGram> model,
                                               LanguageWeights weights);

}  // namespace unrolled::search
