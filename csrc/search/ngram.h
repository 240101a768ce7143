// An n-gram language model with back-off: immutable, asked by any number of threads at once.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unrolled::search {

using WordId = uint32_t;  // 0 is <unk>
inline constexpr int kMaxContext = 9;
inline constexpr int kMaxOrder = kMaxContext + 1;
inline constexpr WordId kUnknown = 0;

// What of the words before can still matter, newest first. The back-off weights follow from the words:
// equality and hash look at the words alone.
struct NGramState {
  uint32_t length = 0;
  WordId words[kMaxContext];
  float backoffs[kMaxContext];  // log10 weights of the contexts of 1, 2, ... words

  bool operator==(const NGramState& other) const {
    return length == other.length && std::memcmp(words, other.words, length * sizeof(WordId)) == 0;
  }
};

struct NGramStateHash {
  std::size_t operator()(const NGramState& state) const {
    uint64_t h = state.length;
    for (uint32_t i = 0; i < state.length; ++i) h = (h ^ state.words[i]) * 0x9E3779B97F4A7C15ull;
    return static_cast<std::size_t>(h ^ (h >> 32));
  }
};

class NGramImage;

class NGram {
 public:
  explicit NGram(std::shared_ptr<const NGramImage> image);

  int order() const;
  int64_t words() const;  // <unk> is one of them
  // 0 for words that the model does not know.
  WordId find(std::string_view word) const;
  std::string_view word(WordId id) const;
  std::string unit() const;              // "word", "char", or empty where it is not known
  std::vector<uint64_t> counts() const;  // n-grams of each order
  bool has_unknown() const;              // whether the model itself tells the probability of <unk>
  WordId begin_word() const;             // <s>, 0 where the model has none
  WordId end_word() const;               // </s>, 0 where the model has none

  NGramState begin() const;  // after <s>; the empty state where the model has none
  NGramState empty() const;
  // The natural logarithm of P(word | in), and the state after it, which may be `in` itself. `matched` is the
  // length of the longest n-gram found, 1 for unknown words too.
  double score(const NGramState& in, WordId word, NGramState& out, int* matched = nullptr) const;
  // Fetches from memory what the score of a text's last word will look at; only speed depends on it.
  void prefetch(std::span<const WordId> text) const;
  // No score is above it.
  double upper_bound() const;

  const NGramImage& image() const { return *image_; }
  std::shared_ptr<const NGramImage> shared_image() const { return image_; }

 private:
  std::shared_ptr<const NGramImage> image_;
};

}  // namespace unrolled::search
