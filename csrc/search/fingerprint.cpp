#include "search/fingerprint.h"

#include <cstring>

namespace unrolled::search {
namespace {

constexpr uint64_t kPrime = 0x9e3779b97f4a7c15;  // odd, so that multiplying by it loses nothing
constexpr std::size_t kChains = 8;               // side by side, since a multiplication takes a few cycles

uint64_t mixed(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * kPrime;
  return hash ^ (hash >> 32);
}

}  // namespace

uint64_t fingerprint(const void* data, std::size_t bytes, uint64_t before) {
  const auto* from = static_cast<const unsigned char*>(data);
  uint64_t chains[kChains] = {};
  std::size_t left = bytes;
  for (; left >= sizeof(chains); left -= sizeof(chains), from += sizeof(chains)) {
    uint64_t values[kChains];
    std::memcpy(values, from, sizeof(values));
    for (std::size_t i = 0; i < kChains; ++i) {
      const uint64_t product = (chains[i] ^ values[i]) * kPrime;
      chains[i] = (product << 32) | (product >> 32);
    }
  }
  uint64_t rest[kChains] = {};
  if (left > 0) std::memcpy(rest, from, left);
  uint64_t hash = mixed(before, bytes);
  for (std::size_t i = 0; i < kChains; ++i) hash = mixed(mixed(hash, chains[i]), rest[i]);
  return hash;
}

}  // namespace unrolled::search
