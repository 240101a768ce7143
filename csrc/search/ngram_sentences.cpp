#include "search/ngram_sentences.h"

#include <algorithm>

#include "parallel.h"

namespace unrolled::search {
namespace {

constexpr int64_t kOperationsPerWord = 100;  // in parallel_for's measure
constexpr int64_t kBytesPerWord = 5;
constexpr int64_t kGrain = 16;     // sentences a task
constexpr std::size_t kAhead = 4;  // words between asking memory for one and its score

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

template <class Visit>
void for_words(const Sentence& sentence, Visit visit) {
  for (const std::string_view token : sentence.tokens) visit(token);
  const char *at = sentence.text.data(), *const end = at + sentence.text.size();
  while (true) {
    at = std::find_if_not(at, end, is_space);
    if (at == end) return;
    const char* const begin = at;
    at = std::find_if(at, end, is_space);
    visit({begin, static_cast<std::size_t>(at - begin)});
  }
}

// Calls visit(score) for each word, and for </s> where it is asked for.
template <class Visit>
void for_scores(const NGram& model, const Sentence& sentence, SentenceEnds ends, Visit visit) {
  std::vector<WordId> text;
  if (ends.bos) text.push_back(model.begin_word());
  for_words(sentence, [&](std::string_view word) { text.push_back(model.find(word)); });
  if (ends.eos) text.push_back(model.end_word());
  NGramState state = ends.bos ? model.begin() : model.empty();
  for (std::size_t i = ends.bos ? 1 : 0; i < text.size(); ++i) {
    if (i + kAhead < text.size()) model.prefetch(std::span(text).first(i + kAhead + 1));
    int length = 0;
    const double log_prob = model.score(state, text[i], state, &length);
    visit(WordScore{log_prob, length, text[i] == kUnknown});
  }
}

}  // namespace

std::vector<WordScore> full_scores(const NGram& model, const Sentence& sentence, SentenceEnds ends) {
  std::vector<WordScore> scores;
  for_scores(model, sentence, ends, [&](const WordScore& score) { scores.push_back(score); });
  return scores;
}

double score(const NGram& model, const Sentence& sentence, SentenceEnds ends, int64_t* tokens) {
  double sum = 0;
  int64_t count = 0;
  for_scores(model, sentence, ends, [&](const WordScore& score) {
    sum += score.log_prob;
    ++count;
  });
  if (tokens) *tokens = count;
  return sum;
}

void score_batch(const NGram& model, std::span<const Sentence> sentences, SentenceEnds ends, double* scores) {
  int64_t words = 0;
  for (const Sentence& sentence : sentences) {
    words += static_cast<int64_t>(sentence.tokens.size()) + std::ssize(sentence.text) / kBytesPerWord;
  }
  parallel_runs(std::ssize(sentences), kGrain, words * kOperationsPerWord, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      scores[i] = score(model, sentences[static_cast<std::size_t>(i)], ends);
  });
}

}  // namespace unrolled::search
