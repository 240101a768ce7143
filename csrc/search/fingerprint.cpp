#include "search/fingerprint.h"

#include <cstring>

namespace unrolled::search {
namespace {

constexpr uint64_t kPrime = 0x9e3779b97f4a7c15;  // odd, so that multiplying by it loses nothing

// Two words: what every processor adds at once. The compiler splits wider vectors badly.
typedef uint64_t Words __attribute__((vector_size(16)));
constexpr std::size_t kVectors = 4;  // side by side

uint64_t mixed(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * kPrime;
  return hash ^ (hash >> 32);
}

}  // namespace

// Two sums for each lane, one of the words and one of that sum at each of them: no word can change by itself,
// and no two change places, without a trace (Fletcher 1982, "An arithmetic checksum for serial
// transmissions"). Additions alone run at the speed of the caches.
uint64_t fingerprint(const void* data, std::size_t bytes, uint64_t before) {
  const auto* from = static_cast<const unsigned char*>(data);
  Words sums[kVectors] = {}, sums_of_sums[kVectors] = {};
  const auto add = [&](const unsigned char* line) {
#pragma GCC unroll 4  // in a loop, or copied all at once, the words go through memory: a third of the speed
    for (std::size_t i = 0; i < kVectors; ++i) {
      Words words;
      std::memcpy(&words, line + i * sizeof(words), sizeof(words));
      sums[i] += words;
      sums_of_sums[i] += sums[i];
    }
  };
  std::size_t left = bytes;
  for (; left >= sizeof(sums); left -= sizeof(sums), from += sizeof(sums)) add(from);
  unsigned char rest[sizeof(sums)] = {};
  if (left > 0) std::memcpy(rest, from, left);
  add(rest);
  uint64_t hash = mixed(before, bytes);
  for (std::size_t i = 0; i < kVectors; ++i) {
    for (int lane = 0; lane < 2; ++lane) hash = mixed(mixed(hash, sums[i][lane]), sums_of_sums[i][lane]);
  }
  return hash;
}

}  // namespace unrolled::search
