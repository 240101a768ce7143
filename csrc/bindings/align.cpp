#include "ops/align.h"

#include <Python.h>

#include "bindings/register.h"
#include "bindings/signals.h"
#include "bindings/trellis_shape.h"

namespace unrolled {
namespace {

AlignMemory memory_of(int choice) {
  require(choice >= 0 && choice <= 2, "memory must be 0 (auto), 1 (full) or 2 (sqrt)");
  return static_cast<AlignMemory>(choice);
}

void require_target(const TrellisShape& s, int64_t n) {
  const int64_t length = s.target_length(n);
  require(length < INT32_MAX / 2, "a target is too long for states of 32 bits");
  bool blanks = false;
  for (int64_t i = 0; i < length; ++i) blanks |= s.target(n)[i] == s.blank;
  require(!blanks, "targets must not hold the blank");
}

struct Paths {
  Array<int32_t> states;
  Array<double> totals;
  MaybeArray<double> scores;
};

template <class Real>
Paths find_paths(const Array<Real>& scores, const Array<int64_t>& targets, const Array<int64_t>& offsets,
                 const Array<int64_t>& input_lengths, int64_t blank, const AlignOptions& options,
                 bool with_scores) {
  const TrellisShape s = make_trellis_shape(scores, targets, offsets, input_lengths, blank);
  require(s.C <= INT32_MAX, "too many classes");
  for (int64_t n = 0; n < s.N; ++n) require_target(s, n);
  require(options.skip_penalty >= 0, "skip_penalty must not be negative");
  require(options.band >= 0, "band must not be negative");
  Paths paths{make_array<int32_t>({s.N, s.T}), make_array<double>({s.N}), {}};
  if (with_scores) paths.scores = make_array<double>({s.N, s.T});
  const Real* from = scores.data();
  int32_t* states = paths.states.mutable_data();
  double* totals = paths.totals.mutable_data();
  double* path_scores = with_scores ? paths.scores->mutable_data() : nullptr;
  {
    const py::gil_scoped_release release;
    Interrupt interrupt(check_signals);
    align(s, options, from, states, totals, path_scores, interrupt);
  }
  return paths;
}

template <class Real>
py::tuple align_array(const Array<Real>& scores, const Array<int64_t>& targets, const Array<int64_t>& offsets,
                      const Array<int64_t>& input_lengths, int64_t blank, double skip_penalty, int memory,
                      int64_t band) {
  const AlignOptions options{skip_penalty, memory_of(memory), band};
  const Paths paths = find_paths(scores, targets, offsets, input_lengths, blank, options, false);
  return py::make_tuple(paths.states, paths.totals);
}

template <class Real>
py::tuple align_with_scores_array(const Array<Real>& scores, const Array<int64_t>& targets,
                                  const Array<int64_t>& offsets, const Array<int64_t>& input_lengths,
                                  int64_t blank, double skip_penalty, int memory, int64_t band) {
  const AlignOptions options{skip_penalty, memory_of(memory), band};
  const Paths paths = find_paths(scores, targets, offsets, input_lengths, blank, options, true);
  return py::make_tuple(paths.states, paths.totals, paths.scores);
}

template <class Real>
void register_of(py::module_& m) {
  const auto add = [&](const char* name, auto function) {
    m.def(name, function, "scores"_a.noconvert(), "targets"_a.noconvert(), "target_offsets"_a.noconvert(),
          "input_lengths"_a.noconvert(), "blank"_a, "skip_penalty"_a, "memory"_a, "band"_a);
  };
  add("align", &align_array<Real>);
  add("align_with_scores", &align_with_scores_array<Real>);
}

}  // namespace

void register_align(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
