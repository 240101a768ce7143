#include "search/ngram.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "search/ngram_image.h"

namespace unrolled::search {

NGram::NGram(std::shared_ptr<const NGramImage> image) : image_(std::move(image)) {}

int NGram::order() const { return static_cast<int>(image_->header().order); }
int64_t NGram::words() const { return static_cast<int64_t>(image_->header().words); }
WordId NGram::find(std::string_view word) const { return image_->vocabulary.find(word); }
std::string_view NGram::word(WordId id) const { return image_->vocabulary.word(id); }
std::string NGram::unit() const { return image_->header().unit; }
bool NGram::has_unknown() const { return image_->header().has_unknown != 0; }
WordId NGram::begin_word() const { return image_->header().begin_word; }
WordId NGram::end_word() const { return image_->header().end_word; }
double NGram::upper_bound() const { return image_->header().upper_bound * std::numbers::ln10; }

std::vector<uint64_t> NGram::counts() const {
  const NGramHeader& header = image_->header();
  std::vector<uint64_t> counts{header.words - (header.has_unknown ? 0 : 1)};
  for (uint32_t i = 0; i + 1 < header.order; ++i) counts.push_back(header.tables[i].ngrams);
  return counts;
}

NGramState NGram::empty() const { return {}; }

NGramState NGram::begin() const {
  NGramState state;
  const WordId word = begin_word();
  if (word == kUnknown || order() == 1) return state;
  state.words[0] = word;
  state.backoffs[0] = image_->unigrams[word].backoff;
  state.length = image_->unigrams[word].extends_right() ? 1 : 0;
  return state;
}

double NGram::score(const NGramState& in, WordId word, NGramState& out, int* matched) const {
  const NGramImage& model = *image_;
  const uint32_t longest = model.header().order - 1;
  const uint32_t context = std::min(in.length, longest);  // a state may be another model's
  uint64_t keys[kMaxContext];
  uint64_t key = chain_start(word);
  for (uint32_t i = 0; i < context; ++i) {  // all addresses are known before the first answer is there
    keys[i] = key = chain(key, in.words[i]);
    model.tables[i].prefetch(key);
  }
  NGramState next;
  const NGramWeights* found = &model.unigrams[word];
  float prob = found->log10_prob();
  uint32_t length = 1;  // of the longest n-gram that has a probability
  for (uint32_t i = 0;; ++i) {
    if (i < longest) {
      next.words[i] = i == 0 ? word : in.words[i - 1];
      next.backoffs[i] = found->backoff;
      if (found->extends_right()) next.length = i + 1;
    }
    if (i == context || !found->extends_left()) break;
    found = model.tables[i].find(keys[i]);
    if (!found) break;
    if (found->is_blank()) continue;
    prob = found->log10_prob();
    length = i + 2;
  }
  double total = prob;
  for (uint32_t i = length - 1; i < context; ++i) total += static_cast<double>(in.backoffs[i]);
  if (matched) *matched = static_cast<int>(length);
  out = next;
  return total * std::numbers::ln10;
}

void NGram::prefetch(std::span<const WordId> text) const {
  const std::size_t longest = std::min<std::size_t>(text.size(), image_->header().order);
  const WordId* word = text.data() + text.size() - 1;
  __builtin_prefetch(image_->unigrams + *word);
  uint64_t key = chain_start(*word);
  for (std::size_t i = 0; i + 1 < longest; ++i) image_->tables[i].prefetch(key = chain(key, *--word));
}

}  // namespace unrolled::search
