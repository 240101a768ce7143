#include <charconv>
#include <stdexcept>

#include "search/ngram_arpa.h"

namespace unrolled::search {
namespace {

// The shortest digits that read back as the same number.
void append(std::string& text, float value) {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value == 0 ? 0.0f : value);
  text.append(digits, end);
}

}  // namespace

ArpaWriter::ArpaWriter(std::shared_ptr<const NGramImage> image) : image_(std::move(image)) {
  if (image_->header().order > 1 && !image_->header().keeps_ngrams) {
    throw std::invalid_argument(
        "this model does not keep the words of its n-grams, as it came from a KenLM probing file: it can be "
        "saved "
        "as .ngram, but not as ARPA");
  }
}

uint64_t ArpaWriter::ngrams(int n) const {
  const NGramHeader& header = image_->header();
  return n == 1 ? header.words - (header.has_unknown ? 0 : 1) : header.tables[n - 2].ngrams;
}

std::string ArpaWriter::next(std::size_t bytes) {
  std::string text;
  const int order = static_cast<int>(image_->header().order);
  if (n_ == 0) {
    write_head(text);
    n_ = 1;
  }
  for (; n_ <= order; ++n_, row_ = 0) {
    if (row_ == 0) text += "\n\\" + std::to_string(n_) + "-grams:\n";
    for (; row_ < ngrams(n_); ++row_) {
      if (text.size() >= bytes) return text;
      write_ngram(text);
    }
  }
  if (n_ == order + 1) {
    text += "\n\\end\\\n";
    ++n_;
  }
  return text;
}

void ArpaWriter::write_head(std::string& text) const {
  const NGramHeader& header = image_->header();
  if (header.unit[0])
    text += std::string("# unit: ") + header.unit + "\n";  // readers skip what is above \data\.
  text += "\\data\\\n";
  for (int n = 1; n <= static_cast<int>(header.order); ++n) {
    text += "ngram " + std::to_string(n) + "=" + std::to_string(ngrams(n)) + "\n";
  }
}

// Null where the words are no n-gram: in a damaged model that was not checked.
const NGramWeights* ArpaWriter::find(const WordId* words) const {
  for (int i = 0; i < n_; ++i) {
    if (words[i] >= image_->header().words) return nullptr;
  }
  return n_ == 1 ? image_->unigrams + words[0] : image_->tables[n_ - 2].find(key_of(words, n_));
}

void ArpaWriter::write_ngram(std::string& text) const {
  const WordId unigram = static_cast<WordId>(row_ + (image_->header().has_unknown ? 0 : 1));
  const WordId* words = n_ == 1 ? &unigram : image_->ngrams[n_ - 2] + row_ * static_cast<uint64_t>(n_);
  const NGramWeights* weights = find(words);
  if (!weights) throw std::invalid_argument("the model is damaged: an n-gram it lists is not in its tables");
  append(text, weights->log10_prob());
  for (int i = 0; i < n_; ++i) {
    text += i == 0 ? '\t' : ' ';
    text += image_->vocabulary.word(words[i]);
  }
  if (n_ < static_cast<int>(image_->header().order) && weights->backoff != 0) {
    text += '\t';
    append(text, weights->backoff);
  }
  text += '\n';
}

}  // namespace unrolled::search
