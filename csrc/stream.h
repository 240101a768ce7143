// Writing results that are larger than the caches share: past them, so that no line is read before it is
// written and nothing useful is displaced.
#pragma once

#include <cstddef>
#include <cstdint>

namespace unrolled {

// Results from this size on are not found in a cache by who reads them next.
inline constexpr int64_t kStreamBytes = int64_t{1} << 24;
// Those of a convolution, which reads more than it writes and keeps its operands in the caches instead.
inline constexpr int64_t kStreamConvBytes = int64_t{1} << 22;

// Copies a block that lies in the cache. Other threads see it after stream_done().
void stream_copy(void* to, const void* from, std::size_t bytes);
void stream_done();

}  // namespace unrolled
