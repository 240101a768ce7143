#include "search/ngram_builder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace unrolled::search {
namespace {

constexpr NGramWeights kBlank = {-std::numeric_limits<float>::quiet_NaN(), -0.0f};

class Builder {
 public:
  explicit Builder(const NGramRowsByOrder& rows)
      : rows_(rows),
        order_(order_of(rows)),
        unigrams_(rows.vocabulary.size(), unextended(kMissingUnknown, 0)) {
    place_unigrams();
    for (int n = 2; n <= order_; ++n) place(n);
    for (int n = order_; n >= 2; --n) link(n);
  }

  std::shared_ptr<const NGramImage> image() const;

 private:
  static int order_of(const NGramRowsByOrder& rows);
  const NGramRows& rows(int n) const { return rows_.orders[static_cast<std::size_t>(n - 1)]; }
  const WordId* words(int n, int64_t row) const { return &rows(n).words[static_cast<std::size_t>(row * n)]; }
  std::string text(int n, int64_t row) const;
  NGramWeights weights(int n, int64_t row) const;
  [[noreturn]] void refuse_twice(int n) const;
  void place_unigrams();
  void place(int n);
  void put_in_missing(int n);
  void link(int n);
  NGramWeights* find(const WordId* words, int n);
  std::vector<WordId> sorted_words(int n) const;
  template <class Visit>
  void for_all(int n, Visit visit);

  const NGramRowsByOrder& rows_;
  const int order_;
  bool has_unknown_ = false;
  std::vector<NGramWeights> unigrams_;
  NGramPlaces tables_[kMaxOrder + 1];  // by order; those of 2-grams and longer are used
  std::vector<WordId>
      blanks_[kMaxOrder + 1];  // what is put in because longer n-grams end in it or begin with it
};

int Builder::order_of(const NGramRowsByOrder& rows) {
  std::size_t order = rows.orders.size();
  while (order > 1 && rows.orders[order - 1].size() == 0) --order;
  if (order < 1) throw std::invalid_argument("a model needs at least its 1-grams");
  if (order > kMaxOrder) {
    throw std::invalid_argument("the model has " + std::to_string(order) +
                                "-grams, the longest that it can have are " + std::to_string(kMaxOrder) +
                                "-grams");
  }
  return static_cast<int>(order);
}

std::string Builder::text(int n, int64_t row) const {
  std::string text = "the " + std::to_string(n) + "-gram '";
  for (int i = 0; i < n; ++i) {
    if (i > 0) text += ' ';
    text += rows_.vocabulary.view().word(words(n, row)[i]);
  }
  return text + "'";
}

// The numbers of a row, checked.
NGramWeights Builder::weights(int n, int64_t row) const {
  const std::size_t i = static_cast<std::size_t>(row);
  const float prob = rows(n).probs[i], backoff = n == order_ ? 0.0f : rows(n).backoffs[i];
  if (std::isnan(prob) || prob > 0) {
    throw BadNGram(
        n, row,
        text(n, row) + " has the log10 probability " + std::to_string(prob) + ", it must not be above 0");
  }
  if (!std::isfinite(backoff)) {
    throw BadNGram(n, row, text(n, row) + " has a back-off weight that is not finite");
  }
  return unextended(prob, backoff);
}

void Builder::place_unigrams() {
  std::vector<bool> seen(unigrams_.size());
  for (int64_t row = 0; row < rows(1).size(); ++row) {
    const WordId word = *words(1, row);
    if (seen[word]) throw BadNGram(1, row, text(1, row) + " occurs twice");
    seen[word] = true;
    unigrams_[word] = weights(1, row);
  }
  has_unknown_ = seen[kUnknown];
  seen[kUnknown] = true;
  const auto missing = std::find(seen.begin(), seen.end(), false);
  if (missing == seen.end()) return;
  const std::string_view word = rows_.vocabulary.view().word(static_cast<WordId>(missing - seen.begin()));
  throw std::invalid_argument("the word '" + std::string(word) + "' has no 1-gram");
}

void Builder::place(int n) {
  std::vector<NGramEntry> entries(static_cast<std::size_t>(rows(n).size()));
  for (int64_t row = 0; row < rows(n).size(); ++row) {
    entries[static_cast<std::size_t>(row)] = {key_of(words(n, row), n), weights(n, row)};
  }
  tables_[n] = NGramPlaces(std::move(entries));
  if (tables_[n].twice() != kNoKey) refuse_twice(n);
}

void Builder::refuse_twice(int n) const {
  const uint64_t key = tables_[n].twice();
  int64_t row = rows(n).size() - 1;
  while (key_of(words(n, row), n) != key) --row;
  throw BadNGram(n, row, text(n, row) + " occurs twice");
}

NGramWeights* Builder::find(const WordId* words, int n) {
  return n == 1 ? &unigrams_[words[0]] : tables_[n].find(key_of(words, n));
}

// Calls visit(words) for all n-grams, those that were put in too.
template <class Visit>
void Builder::for_all(int n, Visit visit) {
  const auto visit_rows = [&](const std::vector<WordId>& rows) {
    for (std::size_t i = 0; i < rows.size(); i += static_cast<std::size_t>(n)) visit(&rows[i]);
  };
  visit_rows(rows(n).words);
  visit_rows(blanks_[n]);
}

// A query reaches an n-gram word by word, from the newest to the oldest, and its context before that: both
// must be there. They are put in as blanks: n-grams that only lead to others.
void Builder::put_in_missing(int n) {
  std::vector<NGramEntry> entries;
  std::vector<WordId>& blanks = blanks_[n - 1];
  const auto need = [&](const WordId* words) {
    if (find(words, n - 1)) return;
    entries.push_back({key_of(words, n - 1), kBlank});
    blanks.insert(blanks.end(), words, words + n - 1);
  };
  for_all(n, [&](const WordId* words) {
    need(words);
    need(words + 1);
  });
  if (entries.empty()) return;
  const std::vector<NGramEntry> known = tables_[n - 1].entries();
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto same = [](const auto& a, const auto& b) { return a.key == b.key; };
  entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
  entries.insert(entries.end(), known.begin(), known.end());
  tables_[n - 1] = NGramPlaces(std::move(entries));
}

void Builder::link(int n) {
  if (n > 2) put_in_missing(n);
  for_all(n, [&](const WordId* words) {
    find(words, n - 1)->mark_right();
    find(words + 1, n - 1)->mark_left();
  });
}

std::vector<WordId> Builder::sorted_words(int n) const {
  const auto before = [&](int64_t a, int64_t b) {
    return std::lexicographical_compare(words(n, a), words(n, a) + n, words(n, b), words(n, b) + n);
  };
  std::vector<int64_t> sequence(static_cast<std::size_t>(rows(n).size()));
  std::iota(sequence.begin(), sequence.end(), 0);
  if (std::is_sorted(sequence.begin(), sequence.end(), before)) return rows(n).words;
  std::sort(sequence.begin(), sequence.end(), before);
  std::vector<WordId> sorted;
  sorted.reserve(rows(n).words.size());
  for (const int64_t row : sequence) sorted.insert(sorted.end(), words(n, row), words(n, row) + n);
  return sorted;
}

std::shared_ptr<const NGramImage> Builder::image() const {
  std::vector<std::vector<WordId>> ngrams;
  for (int n = 2; n <= order_; ++n) ngrams.push_back(sorted_words(n));
  NGramParts parts{rows_.vocabulary.view(), &rows_.unit, has_unknown_, &unigrams_, {}, {}};
  for (int n = 2; n <= order_; ++n) {
    parts.tables.push_back(&tables_[n]);
    parts.ngrams.push_back(&ngrams[static_cast<std::size_t>(n - 2)]);
  }
  return assemble_ngram(parts);
}

}  // namespace

std::shared_ptr<const NGramImage> build_ngram(const NGramRowsByOrder& rows) { return Builder(rows).image(); }

}  // namespace unrolled::search
