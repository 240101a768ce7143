// A number for the bytes of an array, other for other bytes: whether weights have changed since they were
// packed. Quick, not safe against those who want two arrays to have the same one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace unrolled::search {

// `before`: that of the bytes that come before these.
uint64_t fingerprint(const void* data, std::size_t bytes, uint64_t before);

}  // namespace unrolled::search
