// Words to numbers and back: the spelling of each word, and a hash table of their numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "search/ngram.h"

namespace unrolled::search {

// A slot holds the upper half of the hash and the word's number; 0 is empty, as <unk> has no slot.
using VocabularySlot = uint64_t;

bool is_utf8(std::string_view text);
uint64_t hash_word(std::string_view word);
// Slots for so many words: a power of two, at most half of them taken.
uint64_t vocabulary_slots(uint64_t words);

struct VocabularyView {
  const uint64_t* ends = nullptr;  // where each word's spelling ends
  const char* spellings = nullptr;
  const VocabularySlot* slots = nullptr;
  uint64_t slot_mask = 0;
  uint64_t words = 0;

  std::string_view word(WordId id) const {
    const uint64_t begin = id == 0 ? 0 : ends[id - 1];
    return {spellings + begin, ends[id] - begin};
  }
  WordId find(std::string_view word) const;
};

// Numbers words in the order of their coming; <unk>, <UNK> too, is 0 from the start.
class VocabularyBuilder {
 public:
  VocabularyBuilder();

  // The word's number, and whether it is new.
  std::pair<WordId, bool> add(std::string_view word);
  WordId find(std::string_view word) const { return view().find(word); }
  uint64_t size() const { return ends_.size(); }

  VocabularyView view() const;
  const std::vector<uint64_t>& ends() const { return ends_; }
  const std::string& spellings() const { return spellings_; }

 private:
  void insert(uint64_t hash, WordId id);
  void grow();

  std::vector<uint64_t> ends_;
  std::string spellings_;
  std::vector<VocabularySlot> slots_;
};

}  // namespace unrolled::search
