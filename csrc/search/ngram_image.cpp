#include "search/ngram_image.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <stdexcept>

namespace unrolled::search {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is used as it lies: little-endian");

constexpr char kMagic[17] = "unrolled n-gram\n";
constexpr uint32_t kVersion = 1;
constexpr uint64_t kAlignment = 64;

[[noreturn]] void refuse(const std::string& name, const std::string& reason) {
  throw std::invalid_argument(name + ": " + reason);
}

// Offsets of the parts, in their order; all sizes follow from the header.
class Layout {
 public:
  template <class T>
  uint64_t place(uint64_t count, uint64_t each = 1) {
    const uint64_t begin = end_;
    uint64_t bytes;
    overflow_ |= __builtin_mul_overflow(count, each * sizeof(T), &bytes);
    overflow_ |= __builtin_add_overflow(end_, bytes, &end_);
    overflow_ |= __builtin_add_overflow(end_, kAlignment - 1, &end_);
    end_ -= end_ % kAlignment;
    return begin;
  }
  uint64_t end() const { return overflow_ ? UINT64_MAX : end_; }

 private:
  uint64_t end_ = (sizeof(NGramHeader) + kAlignment - 1) / kAlignment * kAlignment;
  bool overflow_ = false;
};

struct Offsets {
  uint64_t ends, spellings, slots, unigrams, tables[kMaxOrder - 1], ngrams[kMaxOrder - 1], end;
};

Offsets offsets_of(const NGramHeader& header) {
  Layout layout;
  Offsets at{};
  at.ends = layout.place<uint64_t>(header.words);
  at.spellings = layout.place<char>(header.spelling_bytes);
  at.slots = layout.place<VocabularySlot>(header.slots);
  at.unigrams = layout.place<NGramWeights>(header.words);
  const uint32_t longer = header.order - 1;
  for (uint32_t i = 0; i < longer; ++i) at.tables[i] = layout.place<NGramEntry>(header.tables[i].places);
  for (uint32_t i = 0; i < longer && header.keeps_ngrams; ++i) {
    at.ngrams[i] = layout.place<WordId>(header.tables[i].ngrams, i + 2);
  }
  at.end = layout.end();
  return at;
}

NGramHeader completed(NGramHeader header) {
  std::memcpy(header.magic, kMagic, sizeof(header.magic));
  header.version = kVersion;
  header.bytes = offsets_of(header).end;
  return header;
}

// Four lanes side by side; each step is a bijection of its lane, so that no single change can go unseen.
uint64_t checksum(std::span<const char> bytes) {
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15ull;
  uint64_t lanes[4] = {1, 2, 3, 4};
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(lanes)) {  // the size is a multiple of the alignment
    uint64_t chunk[4];
    std::memcpy(chunk, bytes.data() + i, sizeof(chunk));
    for (int j = 0; j < 4; ++j) lanes[j] = std::rotl((lanes[j] ^ chunk[j]) * kOdd, 29);
  }
  uint64_t sum = 0;
  for (const uint64_t lane : lanes) sum = std::rotl((sum ^ lane) * kOdd, 31);
  return sum;
}

// As it is with the field of the checksum 0.
uint64_t image_checksum(std::span<const char> bytes) {
  constexpr std::size_t kStart = (sizeof(NGramHeader) + kAlignment - 1) / kAlignment * kAlignment;
  alignas(kAlignment) char start[kStart];
  std::memcpy(start, bytes.data(), kStart);
  reinterpret_cast<NGramHeader*>(start)->checksum = 0;
  return std::rotl(checksum({start, kStart}), 1) ^ checksum(bytes.subspan(kStart));
}

void check_header(const NGramHeader& header, uint64_t file_bytes, const std::string& name) {
  if (header.version != kVersion) {
    refuse(name, "a model of version " + std::to_string(header.version) + ", this program reads version " +
                     std::to_string(kVersion) + ": convert it with the program that wrote it to ARPA");
  }
  if (header.bytes != file_bytes) {
    refuse(name, "the file is cut or damaged: it has " + std::to_string(file_bytes) +
                     " bytes, its header says " + std::to_string(header.bytes));
  }
  const bool sound = header.order >= 1 && header.order <= kMaxOrder && header.words >= 1 &&
                     header.words <= UINT32_MAX && std::has_single_bit(header.slots) &&
                     header.begin_word < header.words && header.end_word < header.words &&
                     header.unit[sizeof(header.unit) - 1] == 0;
  if (!sound || offsets_of(header).end != file_bytes) refuse(name, "the file's header is damaged");
}

}  // namespace

void NGramHeader::set_unit(const std::string& name) {
  std::fill(std::begin(unit), std::end(unit), '\0');
  std::copy_n(name.data(), std::min(name.size(), sizeof(unit) - 1), unit);
}

bool is_ngram_image(std::span<const char> start) {
  return start.size() >= sizeof(NGramHeader::magic) &&
         std::memcmp(start.data(), kMagic, sizeof(NGramHeader::magic)) == 0;
}

NGramImage::NGramImage(const NGramHeader& header) : memory_(completed(header).bytes) {
  *reinterpret_cast<NGramHeader*>(memory_.data()) = completed(header);
  point_into();
}

NGramImage::NGramImage(const NGramImage& other, const std::string& unit) : memory_(other.bytes().size()) {
  std::copy(other.bytes().begin(), other.bytes().end(), memory_.data());
  reinterpret_cast<NGramHeader*>(memory_.data())->set_unit(unit);
  point_into();
  seal();
}

NGramImage::NGramImage(const std::string& path, bool check) : memory_(path) {
  if (!is_ngram_image(bytes())) refuse(path, "not a model in the format of this package");
  if (memory_.size() < sizeof(NGramHeader)) refuse(path, "the file is cut within its header");
  check_header(header(), memory_.size(), path);
  if (check && image_checksum(bytes()) != header().checksum) {
    refuse(path, "the file is damaged: its checksum is wrong");
  }
  point_into();
  check_bounds(path);
}

void NGramImage::seal() {
  reinterpret_cast<NGramHeader*>(memory_.data())->checksum = image_checksum(bytes());
}

void NGramImage::point_into() {
  const NGramHeader& h = header();
  const Offsets at = offsets_of(h);
  const char* base = memory_.data();
  vocabulary = {reinterpret_cast<const uint64_t*>(base + at.ends), base + at.spellings,
                reinterpret_cast<const VocabularySlot*>(base + at.slots), h.slots - 1, h.words};
  unigrams = reinterpret_cast<const NGramWeights*>(base + at.unigrams);
  for (uint32_t i = 0; i + 1 < h.order; ++i) {
    tables[i] = {reinterpret_cast<const NGramEntry*>(base + at.tables[i]), h.tables[i].buckets};
    if (h.keeps_ngrams) ngrams[i] = reinterpret_cast<const WordId*>(base + at.ngrams[i]);
  }
}

// What keeps every query inside the block, also where the checksum was not asked for.
void NGramImage::check_bounds(const std::string& name) const {
  const NGramHeader& h = header();
  uint64_t end = 0;
  bool sound = true;
  for (uint64_t i = 0; i < h.words; ++i) {
    sound &= vocabulary.ends[i] >= end;
    end = vocabulary.ends[i];
  }
  if (!sound || end != h.spelling_bytes) refuse(name, "the file is damaged: its words overlap");
  for (uint32_t i = 0; i + 1 < h.order; ++i) {
    const NGramHeader::Table& table = h.tables[i];
    if (table.buckets >= table.places || tables[i].places[table.places - 1].key != kNoKey) {
      refuse(name, "the file is damaged: its table of " + std::to_string(i + 2) + "-grams has no end");
    }
  }
}

}  // namespace unrolled::search
