// The last step of every way to a model: its parts side by side in one image.
#include <algorithm>
#include <cmath>

#include "search/ngram_builder.h"

namespace unrolled::search {
namespace {

// No score is above the best probability and all the back-off weights that can be added to it.
double highest_score(const NGramParts& parts) {
  float prob = -INFINITY, backoff = 0;
  const auto raise = [&](const NGramWeights& weights) {
    if (!weights.is_blank()) prob = std::max(prob, weights.log10_prob());
    backoff = std::max(backoff, weights.backoff);
  };
  for (const NGramWeights& weights : *parts.unigrams) raise(weights);
  double sum = backoff;
  for (const NGramPlaces* table : parts.tables) {
    backoff = 0;
    for (const NGramEntry& place : table->places()) raise(place.weights);
    sum += backoff;
  }
  return prob + sum;
}

NGramHeader header_of(const NGramParts& parts) {
  NGramHeader header{};
  header.order = static_cast<uint32_t>(parts.tables.size() + 1);
  header.words = parts.vocabulary.words;
  header.spelling_bytes = parts.vocabulary.ends[parts.vocabulary.words - 1];
  header.slots = parts.vocabulary.slot_mask + 1;
  header.begin_word = parts.vocabulary.find("<s>");
  header.end_word = parts.vocabulary.find("</s>");
  header.has_unknown = parts.has_unknown;
  header.keeps_ngrams = parts.ngrams.size() == parts.tables.size();
  header.upper_bound = highest_score(parts);
  header.set_unit(*parts.unit);
  for (std::size_t i = 0; i < parts.tables.size(); ++i) {
    const uint64_t ngrams = header.keeps_ngrams ? parts.ngrams[i]->size() / (i + 2) : parts.tables[i]->size();
    header.tables[i] = {ngrams, parts.tables[i]->buckets(), parts.tables[i]->places().size()};
  }
  return header;
}

}  // namespace

std::shared_ptr<const NGramImage> assemble_ngram(const NGramParts& parts) {
  auto image = std::make_shared<NGramImage>(header_of(parts));
  const VocabularyView& from = parts.vocabulary;
  std::copy_n(from.ends, from.words, writable(image->vocabulary.ends));
  std::copy_n(from.spellings, from.ends[from.words - 1], writable(image->vocabulary.spellings));
  std::copy_n(from.slots, from.slot_mask + 1, writable(image->vocabulary.slots));
  std::copy(parts.unigrams->begin(), parts.unigrams->end(), writable(image->unigrams));
  for (std::size_t i = 0; i < parts.tables.size(); ++i) {
    const std::vector<NGramEntry>& places = parts.tables[i]->places();
    std::copy(places.begin(), places.end(), writable(image->tables[i].places));
  }
  for (std::size_t i = 0; i < parts.ngrams.size(); ++i) {
    std::copy(parts.ngrams[i]->begin(), parts.ngrams[i]->end(), writable(image->ngrams[i]));
  }
  image->seal();
  return image;
}

}  // namespace unrolled::search
