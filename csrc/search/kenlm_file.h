// KenLM's binary files of version 5, as its build_binary writes them: probing (Heafield, 2011) and trie,
// quantised and with compressed pointers too. The layout is that of lm/binary_format.cc and its neighbours in
// KenLM; the code is not.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "search/ngram_builder.h"

namespace unrolled::search {

bool is_kenlm(std::span<const char> start);

// Throws std::invalid_argument for files that are cut or damaged, and for what we do not read: other
// versions, and probing models with rest costs.
std::shared_ptr<const NGramImage> read_kenlm(std::span<const char> bytes, const std::string& name);

enum class KenlmModel : uint32_t { kProbing, kRestProbing, kTrie, kQuantTrie, kArrayTrie, kQuantArrayTrie };

// A file that is read from its beginning to its end; never beyond it.
class KenlmFile {
 public:
  KenlmFile(std::span<const char> bytes, std::string name);

  KenlmModel model() const { return model_; }
  int order() const { return static_cast<int>(counts_.size()); }
  uint64_t count(int n) const { return counts_[static_cast<std::size_t>(n - 1)]; }
  float multiplier() const { return multiplier_; }

  const char* take(uint64_t bytes);
  const char* peek(uint64_t bytes) const;
  uint64_t position() const { return position_; }
  // The words, which are behind all the rest.
  VocabularyBuilder take_words();
  [[noreturn]] void refuse(const std::string& reason) const;

 private:
  std::span<const char> bytes_;
  std::string name_;
  uint64_t position_ = 0;
  KenlmModel model_{};
  float multiplier_ = 0;
  std::vector<uint64_t> counts_;
};

std::shared_ptr<const NGramImage> read_kenlm_trie(KenlmFile& file);

// A field of the packed format; memory may lie at any address.
template <class T>
T load_field(const char* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof(T));
  return value;
}

}  // namespace unrolled::search
