// A model as it lies in memory and in a file: one block of bytes, little-endian, that is used where it lies.
// Files are mapped: loading reads nothing but what the checksum asks for, and processes share the pages.
//   header | ends of the spellings | spellings | slots of the vocabulary | 1-grams | tables of the 2-grams,
//   ... | words of the 2-grams, ..., sorted (which queries never touch; they are what an ARPA file is written
//   from)
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "search/mapped_memory.h"
#include "search/ngram_table.h"
#include "search/ngram_vocabulary.h"

namespace unrolled::search {

struct NGramHeader {
  char magic[16];
  uint32_t version;
  uint32_t order;
  uint64_t bytes;     // of the whole file
  uint64_t checksum;  // of the whole file with this field 0
  uint64_t words;
  uint64_t spelling_bytes;
  uint64_t slots;
  uint32_t begin_word, end_word;  // <s> and </s>, 0: none
  uint32_t has_unknown;           // whether <unk> has a probability of its own
  uint32_t keeps_ngrams;          // whether the words of the n-grams are there
  double upper_bound;             // of log10 scores
  char unit[16];                  // "word", "char", or empty where it is not known
  void set_unit(const std::string& name);
  struct Table {
    uint64_t ngrams;   // without those that were put in for the structure's sake
    uint64_t buckets;  // that keys fall on
    uint64_t places;   // and those behind them
  } tables[kMaxOrder - 1];
};
static_assert(sizeof(NGramHeader) == 104 + 24 * (kMaxOrder - 1));

bool is_ngram_image(std::span<const char> start);

class NGramImage {
 public:
  // All zero behind the header, whose sizes must be set: magic, version and bytes are filled in.
  explicit NGramImage(const NGramHeader& header);
  // A copy for another unit.
  NGramImage(const NGramImage& other, const std::string& unit);
  // Maps a file; `check` is whether to compare the checksum, which reads all of it. Throws
  // std::invalid_argument for files that are damaged, cut, or of another version.
  NGramImage(const std::string& path, bool check);

  const NGramHeader& header() const { return *reinterpret_cast<const NGramHeader*>(memory_.data()); }
  std::span<const char> bytes() const { return memory_.bytes(); }

  VocabularyView vocabulary;
  const NGramWeights* unigrams = nullptr;
  NGramTableView tables[kMaxOrder - 1];      // of 2-grams, 3-grams, ...
  const WordId* ngrams[kMaxOrder - 1] = {};  // their words, oldest first; null where they are not kept

  // The end of building: the checksum of all that was written through the pointers.
  void seal();

 private:
  void point_into();
  void check_bounds(const std::string& name) const;

  MappedMemory memory_;
};

// What a builder writes through: the image is its own until it is sealed.
template <class T>
T* writable(const T* part) {
  return const_cast<T*>(part);
}

}  // namespace unrolled::search
