#include "search/ngram_vocabulary.h"

#include <cstring>

namespace unrolled::search {
namespace {

constexpr uint64_t kOdd = 0x9E3779B97F4A7C15ull;  // 2^64 over the golden ratio

uint64_t mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93ull;
  return x ^ (x >> 32);
}

constexpr uint64_t tag_of(uint64_t hash) { return hash & 0xFFFFFFFF00000000ull; }

}  // namespace

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return k < text.size() ? static_cast<uint8_t>(text[k]) : 0u; };
    const uint32_t first = byte(i);
    if (first < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    uint32_t code = first & (0x7Fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
      code = (code << 6) | (byte(i + k) & 0x3F);
    }
    constexpr uint32_t kSmallest[] = {0x80, 0x800, 0x10000};
    if (first < 0xC2 || first > 0xF4 || code < kSmallest[length - 2] || code > 0x10FFFF) return false;
    if (code >= 0xD800 && code < 0xE000) return false;
    i += length;
  }
  return true;
}

uint64_t hash_word(std::string_view word) {
  uint64_t h = word.size() * kOdd;
  const char* p = word.data();
  std::size_t left = word.size();
  for (; left >= 8; p += 8, left -= 8) {
    uint64_t chunk;
    std::memcpy(&chunk, p, 8);
    h = mix(h ^ chunk) * kOdd;
  }
  uint64_t tail = 0;
  for (std::size_t i = 0; i < left; ++i) tail |= static_cast<uint64_t>(static_cast<uint8_t>(p[i])) << (8 * i);
  return mix((h ^ tail) * kOdd);
}

uint64_t vocabulary_slots(uint64_t words) {
  uint64_t slots = 8;
  while (slots < 2 * words) slots *= 2;
  return slots;
}

WordId VocabularyView::find(std::string_view text) const {
  const uint64_t hash = hash_word(text);
  const uint64_t tag = tag_of(hash);
  // The table's own size bounds the search: a damaged one may have no empty slot.
  for (uint64_t i = hash, tries = 0; tries <= slot_mask; ++i, ++tries) {
    const VocabularySlot slot = slots[i & slot_mask];
    const WordId id = static_cast<WordId>(slot);
    if (id == 0) return kUnknown;
    if (tag_of(slot) == tag && id < words && word(id) == text) return id;
  }
  return kUnknown;
}

VocabularyBuilder::VocabularyBuilder() : ends_{5}, spellings_("<unk>"), slots_(vocabulary_slots(8)) {}

std::pair<WordId, bool> VocabularyBuilder::add(std::string_view word) {
  if (word == "<unk>" || word == "<UNK>") return {kUnknown, false};
  if (const WordId known = find(word)) return {known, false};
  if (vocabulary_slots(size() + 1) > slots_.size()) grow();
  const WordId id = static_cast<WordId>(size());
  spellings_.append(word);
  ends_.push_back(spellings_.size());
  insert(hash_word(word), id);
  return {id, true};
}

VocabularyView VocabularyBuilder::view() const {
  return {ends_.data(), spellings_.data(), slots_.data(), slots_.size() - 1, size()};
}

void VocabularyBuilder::insert(uint64_t hash, WordId id) {
  const uint64_t mask = slots_.size() - 1;
  uint64_t i = hash & mask;
  while (slots_[i] != 0) i = (i + 1) & mask;
  slots_[i] = tag_of(hash) | id;
}

void VocabularyBuilder::grow() {
  slots_.assign(slots_.size() * 2, 0);
  for (WordId id = 1; id < size(); ++id) insert(hash_word(view().word(id)), id);
}

}  // namespace unrolled::search
