#include "memory.h"

#include <array>
#include <bit>
#include <mutex>
#include <new>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace unrolled {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{1} << 21;                   // fewer misses of the TLB
constexpr std::size_t kMinBytes = 256, kMaxBytes = std::size_t{1} << 30;  // larger blocks are not kept
constexpr std::size_t kKeep = std::size_t{1} << 29;  // most bytes lying unused in the pool

// Sizes are rounded up to one of four steps between powers of two: at most a quarter is wasted.
std::size_t round_up(std::size_t bytes) {
  if (bytes <= kMinBytes) return kMinBytes;
  const std::size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

std::size_t size_class(std::size_t rounded) {
  const auto exponent = static_cast<std::size_t>(std::bit_width(rounded) - 1);
  return exponent * 4 + ((rounded >> (exponent - 2)) & 3);
}

std::size_t alignment_of(std::size_t bytes) { return bytes < kHugePage ? kAlignment : kHugePage; }

void* system_allocate(std::size_t bytes) {
  void* block = ::operator new(bytes, std::align_val_t{alignment_of(bytes)});
#ifdef __linux__
  if (bytes >= kHugePage) madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  return block;
}

void system_release(void* block, std::size_t bytes) noexcept {
  ::operator delete(block, std::align_val_t{alignment_of(bytes)});
}

struct Pool {
  std::mutex mutex;
  std::array<std::vector<void*>, 128> free;
  std::size_t kept = 0;

  void* take(std::size_t rounded) {
    const std::lock_guard lock(mutex);
    std::vector<void*>& blocks = free[size_class(rounded)];
    if (blocks.empty()) return nullptr;
    void* block = blocks.back();
    blocks.pop_back();
    kept -= rounded;
    return block;
  }

  bool give(void* block, std::size_t rounded) {
    const std::lock_guard lock(mutex);
    if (kept + rounded > kKeep) return false;
    free[size_class(rounded)].push_back(block);
    kept += rounded;
    return true;
  }
};

// Never destroyed: arrays may outlive the module's own end.
Pool* pool = new Pool;

}  // namespace

void* pool_allocate(std::size_t bytes) {
  if (bytes > kMaxBytes) return system_allocate(bytes);
  const std::size_t rounded = round_up(bytes);
  if (void* block = pool->take(rounded)) return block;
  return system_allocate(rounded);
}

void pool_release(void* block, std::size_t bytes) noexcept {
  if (bytes > kMaxBytes) return system_release(block, bytes);
  const std::size_t rounded = round_up(bytes);
  if (!pool->give(block, rounded)) system_release(block, rounded);
}

void reset_pool_after_fork() { pool = new Pool; }

}  // namespace unrolled
