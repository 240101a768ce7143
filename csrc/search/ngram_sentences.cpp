#include "search/ngram_sentences.h"

#include <algorithm>

#include "parallel.h"

namespace unrolled::search {
namespace {

constexpr int64_t kOperationsPerWord = 100;  // in parallel_for's measure
constexpr int64_t kBytesPerWord = 5;
constexpr int64_t kGrain = 16;     // sentences a task
constexpr std::size_t kAhead = 5;  // words between asking memory for one and its score

// Bytes of the white space that begins here, as Python's str.split knows it; 0: none.
std::ptrdiff_t space_at(const char* at, const char* end) {
  const uint8_t first = static_cast<uint8_t>(*at);
  if (first < 0x80)
    return first == ' ' || (first >= '\t' && first <= '\r') || (first >= 0x1C && first < 0x20);
  const std::string_view rest(at, std::min<std::size_t>(3, static_cast<std::size_t>(end - at)));
  if (rest.starts_with("\u0085") || rest.starts_with("\u00A0")) return 2;
  for (const char* const space : {"\u1680", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"}) {
    if (rest == space) return 3;
  }
  return rest >= "\u2000" && rest <= "\u200A" ? 3 : 0;
}

template <class Visit>
void for_words(const Sentence& sentence, Visit visit) {
  for (const std::string_view token : sentence.tokens) visit(token);
  const char *at = sentence.text.data(), *const end = at + sentence.text.size();
  for (const char* word = at; at <= end;) {
    while (at < end && static_cast<uint8_t>(*at - '!') < 0x80 - '!') ++at;  // what is plain ASCII
    const std::ptrdiff_t space = at == end ? 1 : space_at(at, end);
    if (space == 0) {
      ++at;
      continue;
    }
    if (at > word) visit({word, static_cast<std::size_t>(at - word)});
    word = at += space;
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
  std::size_t fetched = ends.bos ? 1 : 0;
  for (std::size_t i = fetched; i < text.size(); ++i) {
    while (fetched < std::min(text.size(), i + kAhead)) model.prefetch(std::span(text).first(++fetched));
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
