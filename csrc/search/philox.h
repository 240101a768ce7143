// Random numbers that are a function of a key and a counter: nothing is carried from one to the next.
// Philox4x64-10 of Salmon, Moraes, Dror and Shaw: Parallel random numbers: as easy as 1, 2, 3 (2011).
#pragma once

#include <array>
#include <cstdint>

namespace unrolled::search {

typedef std::array<uint64_t, 4> PhiloxCounter;
typedef std::array<uint64_t, 2> PhiloxKey;

inline PhiloxCounter philox(PhiloxCounter c, PhiloxKey key) {
  __extension__ typedef unsigned __int128 Product;
  constexpr uint64_t kFactor0 = 0xD2E7470EE14C6C93, kFactor1 = 0xCA5A826395121157;
  constexpr uint64_t kStep0 = 0x9E3779B97F4A7C15, kStep1 = 0xBB67AE8584CAA73B;
  for (int round = 0; round < 10; ++round) {
    const Product a = static_cast<Product>(kFactor0) * c[0], b = static_cast<Product>(kFactor1) * c[2];
    c = {static_cast<uint64_t>(b >> 64) ^ c[1] ^ key[0], static_cast<uint64_t>(b),
         static_cast<uint64_t>(a >> 64) ^ c[3] ^ key[1], static_cast<uint64_t>(a)};
    key[0] += kStep0;
    key[1] += kStep1;
  }
  return c;
}

// Evenly from [0, 1): the highest 53 bits as a fraction.
inline double philox_uniform(const PhiloxCounter& counter, const PhiloxKey& key) {
  return static_cast<double>(philox(counter, key)[0] >> 11) * 0x1p-53;
}

}  // namespace unrolled::search
