#include "search/fusion_words.h"

namespace unrolled::search {

WordEdge WordReader::edge(const FusionLabels& labels, int32_t token) {
  const auto c = static_cast<std::size_t>(token);
  if (labels.ends_word[c] && !labels.texts[c].empty()) return WordEdge::kWithin;
  return labels.ends_word[c] || labels.starts_word[c] ? WordEdge::kAfter : WordEdge::kInside;
}

void WordReader::read(uint32_t state, std::string& word) {
  tokens_.clear();
  for (; state != 0; state = prefixes_.parents[state]) {
    const int32_t token = prefixes_.tokens[state];
    if (labels_.ends_word[static_cast<std::size_t>(token)]) break;
    tokens_.push_back(token);
    if (labels_.starts_word[static_cast<std::size_t>(token)]) break;
  }
  word.clear();
  for (auto token = tokens_.rbegin(); token != tokens_.rend(); ++token)
    word += labels_.texts[static_cast<std::size_t>(*token)];
}

}  // namespace unrolled::search
