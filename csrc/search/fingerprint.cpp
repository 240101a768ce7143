#include "search/fingerprint.h"

#include <cstring>

namespace unrolled::search {
namespace {

constexpr uint64_t kPrime = 0x9e3779b97f4a7c15;  // odd, so that multiplying by it loses nothing
constexpr std::size_t kLanes = 16;               // words summed side by side, in vectors

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
  uint64_t words[kLanes] = {}, sums[kLanes] = {}, sums_of_sums[kLanes] = {};
  const auto add = [&] {
    for (std::size_t i = 0; i < kLanes; ++i) {
      sums[i] += words[i];
      sums_of_sums[i] += sums[i];
    }
  };
  std::size_t left = bytes;
  for (; left >= sizeof(words); left -= sizeof(words), from += sizeof(words)) {
    std::memcpy(words, from, sizeof(words));
    add();
  }
  std::memset(words, 0, sizeof(words));
  if (left > 0) std::memcpy(words, from, left);
  add();
  uint64_t hash = mixed(before, bytes);
  for (std::size_t i = 0; i < kLanes; ++i) hash = mixed(mixed(hash, sums[i]), sums_of_sums[i]);
  return hash;
}

}  // namespace unrolled::search
