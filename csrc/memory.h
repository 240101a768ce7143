// A pool of aligned buffers behind the arrays we return and the scratch of the kernels. Large blocks that go
// back to the system are zeroed and faulted in again at each step: that costs more than many kernels (pages
// of 4 KiB, 0.1-0.2 us each).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace unrolled {

// 64-byte aligned, uninitialised. Throws std::bad_alloc.
void* pool_allocate(std::size_t bytes);
// `bytes` as given to pool_allocate.
void pool_release(void* block, std::size_t bytes) noexcept;
// Another thread may have held the pool's lock when the process forked.
void reset_pool_after_fork();

// Scratch: uninitialised memory for `size` elements, back in the pool at the end of its scope.
template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t size)
      : bytes_(static_cast<std::size_t>(size) * sizeof(T)), data_(static_cast<T*>(pool_allocate(bytes_))) {}
  Buffer(Buffer&& other) noexcept : bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
  ~Buffer() {
    if (data_) pool_release(data_, bytes_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }

 private:
  std::size_t bytes_;
  T* data_;
};

}  // namespace unrolled
