// Memory by the page: files mapped to be read, and zeroed blocks of our own.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace unrolled::search {

class MappedMemory {
 public:
  // All zero.
  explicit MappedMemory(std::size_t bytes);
  // A whole file, to be read. Throws std::invalid_argument.
  explicit MappedMemory(const std::string& path);
  ~MappedMemory();
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;

  char* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::span<const char> bytes() const { return {data_, size_}; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace unrolled::search
