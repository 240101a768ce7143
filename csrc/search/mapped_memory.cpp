#include "search/mapped_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>

namespace unrolled::search {
namespace {

constexpr std::size_t kWorthHugePages = std::size_t{4} << 20;

[[noreturn]] void refuse(const std::string& path, const char* reason) {
  throw std::invalid_argument(path + ": " + reason);
}

class File {
 public:
  explicit File(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) refuse(path, std::strerror(errno));
  }
  ~File() { close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace

MappedMemory::MappedMemory(std::size_t bytes) : size_(bytes) {
  void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE  // a query touches pages at random
  if (bytes >= kWorthHugePages) madvise(block, bytes, MADV_HUGEPAGE);
#endif
  data_ = static_cast<char*>(block);
}

MappedMemory::MappedMemory(const std::string& path) {
  const File file(path);
  struct stat status;
  if (fstat(file.descriptor(), &status) != 0) refuse(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) refuse(path, "not a regular file");
  if (status.st_size == 0) refuse(path, "the file is empty");
  size_ = static_cast<std::size_t>(status.st_size);
  void* block = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (block == MAP_FAILED) refuse(path, std::strerror(errno));
  data_ = static_cast<char*>(block);
}

MappedMemory::~MappedMemory() { munmap(data_, size_); }

}  // namespace unrolled::search
