#include "search/kenlm_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

namespace unrolled::search {
namespace {

constexpr std::string_view kMagic = "mmap lm http://kheafield.com/code format version ";
constexpr std::string_view kUnfinished = "mmap lm http://kheafield.com/code incomplete\n";
constexpr std::string_view kVersion = "5\n";
constexpr uint64_t kMagicBytes = 56;  // with its zeros
constexpr float kLargestMultiplier = 1000;
constexpr const char* kConvert =
    ": convert the model from its ARPA file, NGram.load(\"model.arpa\").save(\"model.ngram\"), or build it "
    "again "
    "with KenLM's build_binary";

bool starts_with(std::span<const char> bytes, std::string_view text) {
  return std::string_view(bytes.data(), bytes.size()).starts_with(text);
}

// What the file was written on must count and store numbers as we do.
bool has_our_numbers(const char* at) {
  return load_field<float>(at) == 0.0f && load_field<float>(at + 4) == 1.0f &&
         load_field<float>(at + 8) == -0.5f && load_field<uint32_t>(at + 12) == 1 &&
         load_field<uint32_t>(at + 16) == UINT32_MAX && load_field<uint64_t>(at + 24) == 1;
}

uint64_t buckets_of(uint64_t entries, float multiplier) {
  return std::max(entries + 1, static_cast<uint64_t>(multiplier * static_cast<float>(entries)));
}

// The signs say what ours say.
void check_weights(const KenlmFile& file, const NGramWeights& weights) {
  if (std::isnan(weights.prob) || !std::isfinite(weights.backoff))
    file.refuse("the file is damaged: a number is none");
}

NGramPlaces take_table(KenlmFile& file, int n) {
  const bool longest = n == file.order();
  const uint64_t bytes = longest ? 12 : 16, buckets = buckets_of(file.count(n), file.multiplier());
  const char* at = file.take(buckets * bytes);
  std::vector<NGramEntry> entries;
  for (uint64_t i = 0; i < buckets; ++i, at += bytes) {
    const uint64_t key = load_field<uint64_t>(at);
    if (key == 0) continue;
    const float prob = load_field<float>(at + 8);
    const NGramWeights weights =
        longest ? unextended(prob, 0) : NGramWeights{prob, load_field<float>(at + 12)};
    check_weights(file, weights);
    entries.push_back({key, weights});
  }
  NGramPlaces table(std::move(entries));
  if (table.twice() != kNoKey || table.size() < file.count(n)) {
    file.refuse("the file is damaged: its table of " + std::to_string(n) +
                "-grams does not hold what it should");
  }
  return table;
}

std::shared_ptr<const NGramImage> read_probing(KenlmFile& file) {
  file.take(8 + 12 * buckets_of(file.count(1), file.multiplier()));  // hashes of the words
  std::vector<NGramWeights> unigrams(file.count(1) + 1);
  const char* at = file.take(unigrams.size() * sizeof(NGramWeights));
  for (NGramWeights& weights : unigrams) {
    weights = {load_field<float>(at), load_field<float>(at + 4)};
    check_weights(file, weights);
    at += sizeof(NGramWeights);
  }
  std::vector<NGramPlaces> tables;
  for (int n = 2; n <= file.order(); ++n) tables.push_back(take_table(file, n));
  const VocabularyBuilder words = file.take_words();
  if (words.size() > unigrams.size()) file.refuse("the file is damaged: it has more words than 1-grams");
  unigrams.resize(words.size());
  const std::string unit;
  NGramParts parts{words.view(), &unit, unigrams[kUnknown].log10_prob() != kMissingUnknown,
                   &unigrams,    {},    {}};
  for (const NGramPlaces& table : tables) parts.tables.push_back(&table);
  return assemble_ngram(parts);
}

}  // namespace

bool is_kenlm(std::span<const char> start) {
  return starts_with(start, kMagic) || starts_with(start, kUnfinished);
}

KenlmFile::KenlmFile(std::span<const char> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {
  if (starts_with(bytes, kUnfinished)) refuse("build_binary did not finish this file");
  take(kMagic.size());
  if (!starts_with(bytes.subspan(position_), kVersion))
    refuse(std::string("not version 5 of KenLM's format") + kConvert);
  position_ = 0;
  take(kMagicBytes);
  if (!has_our_numbers(take(32))) refuse(std::string("written on a machine with other numbers") + kConvert);
  const char* at = take(20);
  const uint8_t order = load_field<uint8_t>(at);
  multiplier_ = load_field<float>(at + 4);
  const uint32_t model = load_field<uint32_t>(at + 8);
  const bool has_words = load_field<uint8_t>(at + 12) != 0;
  if (model > static_cast<uint32_t>(KenlmModel::kQuantArrayTrie))
    refuse("a kind of model that KenLM does not have");
  model_ = static_cast<KenlmModel>(model);
  if (model_ == KenlmModel::kRestProbing)
    refuse(std::string("a model with rest costs, which are not read") + kConvert);
  if (!has_words) refuse(std::string("the file does not hold the model's words") + kConvert);
  if (order < 2 || order > kMaxOrder || !(multiplier_ >= 1 && multiplier_ <= kLargestMultiplier)) {
    refuse("the file's header is damaged");
  }
  for (int n = 1; n <= order; ++n) {
    counts_.push_back(load_field<uint64_t>(take(8)));
    if (counts_.back() > bytes.size()) refuse("the file is cut, or its header is damaged");
  }
  take((8 - position_ % 8) % 8);
}

void KenlmFile::refuse(const std::string& reason) const {
  throw std::invalid_argument(name_ + ", a KenLM file: " + reason);
}

const char* KenlmFile::peek(uint64_t bytes) const {
  if (bytes > bytes_.size() - position_) refuse("the file is cut");
  return bytes_.data() + position_;
}

const char* KenlmFile::take(uint64_t bytes) {
  const char* at = peek(bytes);
  position_ += bytes;
  return at;
}

VocabularyBuilder KenlmFile::take_words() {
  std::string_view left(bytes_.data() + position_, bytes_.size() - position_);
  if (left.empty() || left.back() != '\0') refuse("the file is cut within its words");
  VocabularyBuilder words;
  for (bool first = true; !left.empty(); first = false) {
    const std::string_view word = left.substr(0, left.find('\0'));
    const bool fits = first ? word == "<unk>" : words.add(word).second && is_utf8(word);
    if (!fits) refuse("the file is damaged: its words are not where they should be, or one is not UTF-8");
    left.remove_prefix(word.size() + 1);
  }
  if (words.size() < count(1)) refuse("the file is cut within its words");
  return words;
}

std::shared_ptr<const NGramImage> read_kenlm(std::span<const char> bytes, const std::string& name) {
  KenlmFile file(bytes, name);
  return file.model() == KenlmModel::kProbing ? read_probing(file) : read_kenlm_trie(file);
}

}  // namespace unrolled::search
