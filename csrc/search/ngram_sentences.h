// Scores of whole sentences.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "search/ngram.h"

namespace unrolled::search {

// Tokens, or a text, in UTF-8, whose words are between white space.
struct Sentence {
  std::vector<std::string_view> tokens;
  std::string_view text;
};

// One word of a sentence.
struct WordScore {
  double log_prob;  // natural
  int32_t length;   // of the longest n-gram found
  bool unknown;
};

// Whether the context starts with <s>, and whether </s> is scored at the end: the model must have them.
struct SentenceEnds {
  bool bos, eos;
};

std::vector<WordScore> full_scores(const NGram& model, const Sentence& sentence, SentenceEnds ends);
// The sum over its words, the same bits as if they were scored one by one; `tokens` is their number, </s>
// included.
double score(const NGram& model, const Sentence& sentence, SentenceEnds ends, int64_t* tokens = nullptr);
// Many sentences, on threads.
void score_batch(const NGram& model, std::span<const Sentence> sentences, SentenceEnds ends, double* scores);

}  // namespace unrolled::search
