// ISA level, threads, what the build is, and arrays on their way to the kernels.
#include <string>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "cpu.h"
#include "dispatch.h"
#include "parallel.h"

namespace unrolled {
namespace {

std::vector<std::string> isa_levels() {
  const auto levels = cpu_levels();
  return {levels.begin(), levels.end()};
}

void set_threads(int n) {
  if (n < 1) throw std::invalid_argument("num_threads must be at least 1, got " + std::to_string(n));
  set_num_threads(n);
}

void after_fork() {
  reset_threads_after_fork();
  reset_pool_after_fork();
}

std::string compiler() {
#ifdef __clang__
  return "Clang " __clang_version__;
#else
  return "GCC " __VERSION__;
#endif
}

// Whether the arrays (or None) can be given to a kernel as they are: NumPy's own class, C order, one
// precision.
bool are_ready(const py::args& arrays) {
  // Never destroyed: the interpreter may have ended before.
  static const auto* const kArray = new py::object(py::module_::import("numpy").attr("ndarray"));
  static const auto *const kSingle = new py::dtype(py::dtype::of<float>()), *const kDouble = new py::dtype(
                                                                                py::dtype::of<double>());
  PyObject* precision = nullptr;
  for (const py::handle item : arrays) {
    if (item.is_none()) continue;
    if (reinterpret_cast<PyObject*>(Py_TYPE(item.ptr())) != kArray->ptr()) return false;
    const auto array = py::reinterpret_borrow<py::array>(item);
    PyObject* dtype = array.dtype().ptr();
    if (!(array.flags() & py::array::c_style) || (dtype != kSingle->ptr() && dtype != kDouble->ptr()) ||
        (precision && dtype != precision)) {
      return false;
    }
    precision = dtype;
  }
  return true;
}

}  // namespace

void register_runtime(py::module_& m) {
  isa_level();  // an UNROLLED_ISA that this CPU does not run is refused here, at import
  m.attr("__version__") = UNROLLED_VERSION;
  m.def("isa", [] { return std::string(isa_level()); });
  m.def("isa_levels", &isa_levels);
  m.def("set_isa", [](const std::string& level) { set_isa_level(level); }, "level"_a);
  m.def("get_num_threads", &get_num_threads);
  m.def("set_num_threads", &set_threads, "n"_a);
  m.def("after_fork", &after_fork);
  m.def("are_ready", &are_ready);
  m.def("compiler", &compiler);
  m.def("has_openmp", &has_openmp);
}

}  // namespace unrolled
