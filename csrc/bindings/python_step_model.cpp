#include "bindings/python_step_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace unrolled {
namespace {

template <class T>
Array<T> copied(int64_t n, const T* from) {
  Array<T> array = make_array<T>({n});
  std::copy_n(from, n, array.mutable_data());
  return array;
}

// What the model returned, float32 (rows, columns), copied to `to`. Minus infinity is a logit too.
void copy_found(const py::handle& found, const char* what, int64_t rows, int64_t columns, float* to) {
  const auto array = py::array_t<float, py::array::c_style | py::array::forcecast>::ensure(found);
  if (!array) throw py::type_error(std::string("step model: ") + what + " must be an array of numbers");
  const bool fits = array.ndim() == 2 && array.shape(0) == rows && array.shape(1) == columns;
  if (!fits)
    throw py::value_error(std::string("step model: ") + what + " must have the shape (" +
                          std::to_string(rows) + ", " + std::to_string(columns) + "), got " +
                          py::repr(array.attr("shape")).cast<std::string>());
  const float *from = array.data(), *end = from + rows * columns;
  const float* wrong = std::find_if(from, end, [](float value) { return std::isnan(value); });
  if (wrong != end)
    throw py::value_error(std::string("step model: ") + what + " of row " +
                          std::to_string((wrong - from) / columns) + " has a NaN");
  std::copy(from, end, to);
}

}  // namespace

PythonStepModel::PythonStepModel(StepModelSizes sizes, py::object start, py::object step)
    : sizes_(sizes), start_(std::move(start)), step_(std::move(step)) {
  require(sizes.tokens > 0, "tokens must be at least 1");
  require(sizes.items >= 0 && sizes.state_size >= 0 && sizes.attended >= 0,
          "items, state_size and attended must not be negative");
}

void PythonStepModel::start(float* states) const {
  const py::gil_scoped_acquire acquire;
  const py::object states_found = PyCallable_Check(start_.ptr()) != 0 ? start_() : start_;
  copy_found(states_found, "start's states", sizes_.items, sizes_.state_size, states);
}

void PythonStepModel::step(int64_t rows, const int32_t* tokens, const int32_t* items, const float* before,
                           float* after, float* logits, float* attention) const {
  const py::gil_scoped_acquire acquire;
  Array<float> states = make_array<float>({rows, sizes_.state_size});
  std::copy_n(before, rows * sizes_.state_size, states.mutable_data());
  const py::object found = step_(copied(rows, tokens), copied(rows, items), states);
  const std::size_t wanted = sizes_.attended > 0 ? 3 : 2;
  if (!py::isinstance<py::tuple>(found) || py::len(found) != wanted)
    throw py::type_error("step model: step must return a tuple of states and logits" +
                         std::string(wanted == 3 ? " and attention" : "") + ", got " +
                         py::repr(py::type::of(found)).cast<std::string>());
  const auto parts = found.cast<py::tuple>();
  copy_found(parts[0], "step's states", rows, sizes_.state_size, after);
  copy_found(parts[1], "step's logits", rows, sizes_.tokens, logits);
  if (attention) copy_found(parts[2], "step's attention", rows, sizes_.attended, attention);
}

}  // namespace unrolled
