// KenLM's trie: the n-grams of each order in one array of bit fields, sorted by their words, newest first. An
// n-gram holds its oldest word, its weights, and where in the next array those begin that are longer by a
// word.
#include <algorithm>
#include <bit>
#include <limits>

#include "search/kenlm_file.h"

namespace unrolled::search {
namespace {

constexpr uint8_t kQuantVersion = 2, kArrayVersion = 0;
constexpr int kMostQuantBits = 25;

int bits_for(uint64_t largest) { return static_cast<int>(std::bit_width(largest)); }

// A field of up to 57 bits; the arrays end with 8 bytes that none begins in.
uint64_t bits_at(const char* base, uint64_t bit, int length) {
  return (load_field<uint64_t>(base + bit / 8) >> (bit % 8)) & ((uint64_t{1} << length) - 1);
}

// Weights by their numbers in tables, of each order, where they are quantised.
class Quantiser {
 public:
  void take(KenlmFile& file) {
    const char* head = file.take(8);
    if (load_field<uint8_t>(head) != kQuantVersion) file.refuse("a quantised trie of an unknown version");
    prob_bits_ = load_field<uint8_t>(head + 1);
    backoff_bits_ = load_field<uint8_t>(head + 2);
    const auto sound = [](int bits) { return bits >= 1 && bits <= kMostQuantBits; };
    if (!sound(prob_bits_) || !sound(backoff_bits_)) file.refuse("the file's header is damaged");
    for (int n = 2; n <= file.order(); ++n) {
      probs_[n] = file.take(sizeof(float) << prob_bits_);
      if (n < file.order()) backoffs_[n] = file.take(sizeof(float) << backoff_bits_);
    }
    active_ = true;
  }

  int bits(bool longest) const {
    if (!active_) return longest ? 31 : 63;
    return longest ? prob_bits_ : prob_bits_ + backoff_bits_;
  }

  float prob(int n, bool longest, const char* base, uint64_t bit) const {
    if (!active_) return std::bit_cast<float>(static_cast<uint32_t>(bits_at(base, bit, 31)) | 0x80000000u);
    return value(probs_[n],
                 bits_at(base, bit + static_cast<uint64_t>(longest ? 0 : backoff_bits_), prob_bits_));
  }

  float backoff(int n, const char* base, uint64_t bit) const {
    if (!active_) return std::bit_cast<float>(static_cast<uint32_t>(bits_at(base, bit + 31, 32)));
    return value(backoffs_[n], bits_at(base, bit, backoff_bits_));
  }

 private:
  static float value(const char* table, uint64_t number) {
    return load_field<float>(table + number * sizeof(float));
  }

  bool active_ = false;
  int prob_bits_ = 0, backoff_bits_ = 0;
  const char *probs_[kMaxOrder + 1] = {}, *backoffs_[kMaxOrder + 1] = {};
};

// The pointers of one order into the next. With compression (Raj and Whittaker, 2003) the upper bits are a
// sorted array of where each value of theirs begins, and the lower ones stand with the n-grams.
class Pointers {
 public:
  Pointers() = default;
  Pointers(KenlmFile& file, bool compressed, int most_bits, uint64_t rows, uint64_t largest)
      : inline_bits_(bits_for(largest)) {
    if (!compressed) return;
    const int chopped = chopped_bits(rows, largest, most_bits);
    inline_bits_ -= chopped;
    count_ = (largest >> inline_bits_) + 1;
    const uint64_t aligned = (8 - file.position() % 8) % 8;
    starts_ = file.take(8 + 8 * count_ + 7) + aligned + 8;
  }

  int inline_bits() const { return inline_bits_; }

  // Rows are asked for in rising order.
  uint64_t next(const char* base, uint64_t bit, uint64_t row) {
    while (upper_ + 1 < count_ && load_field<uint64_t>(starts_ + 8 * (upper_ + 1)) <= row) ++upper_;
    return (upper_ << inline_bits_) | bits_at(base, bit, inline_bits_);
  }

 private:
  // As many as make the whole smallest.
  static int chopped_bits(uint64_t rows, uint64_t largest, int most_bits) {
    const int required = bits_for(largest);
    int best = 0;
    int64_t least = std::numeric_limits<int64_t>::max();
    for (int chop = 0; chop <= std::min(required, most_bits); ++chop) {
      const int64_t upper = required - chop < 64 ? static_cast<int64_t>(largest >> (required - chop)) : 0;
      const int64_t change = upper * 64 - static_cast<int64_t>(rows) * chop;
      if (change < least) {
        least = change;
        best = chop;
      }
    }
    return best;
  }

  int inline_bits_ = 0;
  uint64_t count_ = 0, upper_ = 0;
  const char* starts_ = nullptr;
};

class Trie {
 public:
  explicit Trie(KenlmFile& file)
      : file_(file), order_(file.order()), rows_(static_cast<std::size_t>(order_)) {}

  std::shared_ptr<const NGramImage> read();

 private:
  // Where the n-grams that are longer by a word begin, for each n-gram and behind the last.
  using Starts = std::vector<uint64_t>;

  void take_unigrams();
  void read_pointer_bits();
  void take_order(int n);
  void add(int n, uint64_t parent, WordId oldest, float prob, float backoff);

  KenlmFile& file_;
  const int order_;
  Quantiser quantiser_;
  Starts starts_;
  std::vector<NGramRows> rows_;
  int most_pointer_bits_ = -1;
};

void Trie::take_unigrams() {
  const uint64_t words = file_.count(1);
  const char* at = file_.take((words + 2) * 16);
  NGramRows& rows = rows_[0];
  for (uint64_t word = 0; word <= words; ++word, at += 16) {
    starts_.push_back(load_field<uint64_t>(at + 8));
    const float prob = load_field<float>(at);
    if (word == words || (word == kUnknown && prob == kMissingUnknown)) continue;
    rows.words.push_back(static_cast<WordId>(word));
    rows.probs.push_back(prob);
    rows.backoffs.push_back(load_field<float>(at + 4));
  }
}

void Trie::add(int n, uint64_t parent, WordId oldest, float prob, float backoff) {
  NGramRows& rows = rows_[static_cast<std::size_t>(n - 1)];
  rows.words.push_back(oldest);
  if (n == 2) {
    rows.words.push_back(static_cast<WordId>(parent));
  } else {
    const std::vector<WordId>& shorter = rows_[static_cast<std::size_t>(n - 2)].words;
    const auto words = shorter.begin() + static_cast<std::ptrdiff_t>(parent) * (n - 1);
    rows.words.insert(rows.words.end(), words, words + (n - 1));
  }
  rows.probs.push_back(prob);
  rows.backoffs.push_back(backoff);
}

// They stand at the head of the first array of pointers.
void Trie::read_pointer_bits() {
  const char* head = file_.peek(2);
  if (load_field<uint8_t>(head) != kArrayVersion) file_.refuse("compressed pointers of an unknown version");
  most_pointer_bits_ = load_field<uint8_t>(head + 1);
}

void Trie::take_order(int n) {
  const bool longest = n == order_;
  const bool compressed =
      file_.model() == KenlmModel::kArrayTrie || file_.model() == KenlmModel::kQuantArrayTrie;
  const uint64_t count = file_.count(n), largest_word = file_.count(1);
  Pointers pointers;
  if (!longest) {
    if (compressed && n == 2) read_pointer_bits();
    pointers = Pointers(file_, compressed, most_pointer_bits_, count + 1, file_.count(n + 1));
  }
  const int word_bits = bits_for(largest_word), weight_bits = quantiser_.bits(longest);
  const uint64_t step =
      static_cast<uint64_t>(word_bits + weight_bits + (longest ? 0 : pointers.inline_bits()));
  const char* base = file_.take(((1 + count) * step + 7) / 8 + 8);
  const bool covered =
      starts_.front() == 0 && starts_.back() == count && std::is_sorted(starts_.begin(), starts_.end());
  if (!covered)
    file_.refuse("the file is damaged: its " + std::to_string(n) + "-grams are not where they should be");
  Starts next;
  uint64_t parent = 0;
  for (uint64_t row = 0; row <= count; ++row) {
    const uint64_t weights = row * step + static_cast<uint64_t>(word_bits);
    if (!longest) next.push_back(pointers.next(base, weights + static_cast<uint64_t>(weight_bits), row));
    if (row == count) break;
    while (starts_[parent + 1] <= row) ++parent;
    const uint64_t word = bits_at(base, row * step, word_bits);
    if (word >= file_.count(1)) file_.refuse("the file is damaged: an n-gram holds a word that is none");
    const float prob = quantiser_.prob(n, longest, base, weights);
    add(n, parent, static_cast<WordId>(word), prob, longest ? 0 : quantiser_.backoff(n, base, weights));
  }
  starts_ = std::move(next);
}

std::shared_ptr<const NGramImage> Trie::read() {
  file_.take(8 + 8 * file_.count(1));  // hashes of the words
  const bool quantised =
      file_.model() == KenlmModel::kQuantTrie || file_.model() == KenlmModel::kQuantArrayTrie;
  if (quantised) quantiser_.take(file_);
  take_unigrams();
  for (int n = 2; n <= order_; ++n) take_order(n);
  NGramRowsByOrder rows{file_.take_words(), std::move(rows_), ""};
  if (rows.vocabulary.size() != file_.count(1))
    file_.refuse("the file has another number of words than of 1-grams");
  try {
    return build_ngram(rows);
  } catch (const BadNGram& bad) {
    file_.refuse(std::string("the file is damaged: ") + bad.what());
  }
}

}  // namespace

std::shared_ptr<const NGramImage> read_kenlm_trie(KenlmFile& file) { return Trie(file).read(); }

}  // namespace unrolled::search
