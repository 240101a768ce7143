// NumPy arrays at the boundary. Arguments must have the exact dtype and C order (python/unrolled/_arrays.py
// converts); results lie in the pool's memory.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "memory.h"

namespace unrolled {

namespace py = pybind11;
using namespace pybind11::literals;

template <class T>
using Array = py::array_t<T, py::array::c_style>;
template <class T>
using MaybeArray = std::optional<Array<T>>;

inline void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

template <class T>
void require_shape(const Array<T>& array, std::initializer_list<int64_t> shape, const char* message) {
  bool same = array.ndim() == static_cast<py::ssize_t>(shape.size());
  py::ssize_t axis = 0;
  for (auto size = shape.begin(); same && size != shape.end(); ++size, ++axis)
    same = array.shape(axis) == *size;
  require(same, message);
}

// An uninitialised array in the pool's memory.
template <class T>
Array<T> make_array(const std::vector<int64_t>& shape) {
  struct Block {
    void* data;
    std::size_t bytes;
  };
  std::size_t bytes = sizeof(T);
  for (const int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::size_t>(size), &bytes)) throw std::bad_alloc();
  }
  auto* block = new Block{pool_allocate(bytes), bytes};
  const py::capsule owner(block, [](void* p) {
    auto* owned = static_cast<Block*>(p);
    pool_release(owned->data, owned->bytes);
    delete owned;
  });
  return Array<T>(shape, static_cast<T*>(block->data), owner);
}

template <class T>
Array<T> make_array_like(const Array<T>& array) {
  return make_array<T>({array.shape(), array.shape() + array.ndim()});
}

template <class T>
const T* data_or_null(const MaybeArray<T>& array) {
  return array ? array->data() : nullptr;
}

}  // namespace unrolled
