// Words as they come to an end within a text.
#pragma once

#include <string>
#include <vector>

#include "search/fusion_part.h"

namespace unrolled::search {

// What a label does to the words of a text.
enum class WordEdge : uint8_t {
  kInside,  // nothing ends
  kAfter,   // the word before ends: at a delimiter, or where the label begins another
  kWithin,  // the word that the label writes in ends with it, and maybe the one before
};

class WordReader {
 public:
  WordReader(const FusionLabels& labels, const PrefixTokens& prefixes)
      : labels_(labels), prefixes_(prefixes) {}

  static WordEdge edge(const FusionLabels& labels, int32_t token);

  // The unfinished word at the end of the prefix; empty where there is none.
  void read(uint32_t state, std::string& word);
  // Calls visit(word) for each word that the token ends behind the prefix.
  template <class Visit>
  void visit_ended(uint32_t state, int32_t token, Visit&& visit) {
    const auto c = static_cast<std::size_t>(token);
    const bool writes = !labels_.texts[c].empty();
    read(state, word_);
    if (labels_.starts_word[c] || !writes) {
      if (!word_.empty()) visit(word_);
      word_.clear();
    }
    if (!labels_.ends_word[c] || !writes) return;
    word_ += labels_.texts[c];
    visit(word_);
  }

 private:
  const FusionLabels& labels_;
  const PrefixTokens& prefixes_;
  std::vector<int32_t> tokens_;
  std::string word_;
};

}  // namespace unrolled::search
