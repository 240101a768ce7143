#include "ops/align.h"

#include <Python.h>

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

// Signals are Python's business: its handlers run here, and what they raise ends the work.
void check_signals() {
  const py::gil_scoped_acquire acquire;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

AlignMemory memory_of(int choice) {
  require(choice >= 0 && choice <= 2, "memory must be 0 (auto), 1 (full) or 2 (sqrt)");
  return static_cast<AlignMemory>(choice);
}

void require_trellis(const AlignShape& s, int64_t symbols) {
  require(s.blank >= -1 && s.blank < s.C, "blank must be one of the classes, or -1");
  require(s.skip_penalty >= 0, "skip_penalty must not be negative");
  require(s.band >= 0, "band must not be negative");
  require(s.C <= INT32_MAX, "too many classes");
  require(s.target_offsets[0] == 0 && s.target_offsets[s.N] == symbols, "target_offsets must cover targets");
  for (int64_t n = 0; n < s.N; ++n) {
    require(s.input_lengths[n] >= 0 && s.input_lengths[n] <= s.T, "input_lengths must lie in 0 .. T");
    const int64_t length = s.target_offsets[n + 1] - s.target_offsets[n];
    require(length >= 0, "target_offsets must not fall");
    require(length < INT32_MAX / 2, "a target is too long for states of 32 bits");
  }
  for (int64_t i = 0; i < symbols; ++i)
    require(s.targets[i] >= 0 && s.targets[i] < s.C, "targets must be classes");
}

template <class Real>
py::tuple align_array(const Array<Real>& scores, const Array<int64_t>& targets, const Array<int64_t>& offsets,
                      const Array<int64_t>& input_lengths, int64_t blank, double skip_penalty, int memory,
                      int64_t band) {
  require(scores.ndim() == 3 && scores.shape(2) >= 1, "scores must be (N, T, C) with at least one class");
  const int64_t N = scores.shape(0), T = scores.shape(1), C = scores.shape(2);
  require_shape(input_lengths, {N}, "input_lengths must be (N)");
  require_shape(offsets, {N + 1}, "target_offsets must be (N + 1)");
  require(targets.ndim() == 1, "targets must be flat");
  const AlignShape s{
      N,   T, C, input_lengths.data(), targets.data(), offsets.data(), blank, skip_penalty, memory_of(memory),
      band};
  require_trellis(s, targets.size());
  Array<int32_t> states = make_array<int32_t>({N, T});
  Array<double> totals = make_array<double>({N});
  const Real* from = scores.data();
  int32_t* to = states.mutable_data();
  double* to_totals = totals.mutable_data();
  {
    const py::gil_scoped_release release;
    Interrupt interrupt(check_signals);
    align(s, from, to, to_totals, interrupt);
  }
  return py::make_tuple(states, totals);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("align", &align_array<Real>, "scores"_a.noconvert(), "targets"_a.noconvert(),
        "target_offsets"_a.noconvert(), "input_lengths"_a.noconvert(), "blank"_a, "skip_penalty"_a,
        "memory"_a, "band"_a);
}

}  // namespace

void register_align(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
